"""The judge: what an organization's audit trail and documents say about whether the promises were kept.

``judge(history)`` decides. It looks at plain records, so the same code judges a test's run and a deployed organization.
It believes nothing that the seat protocol says of itself: no counter, no number of seats in use that an event reports.

===================  ==============================================================================================
history              the records: what was read, what clients and admins noted
reading              takes them from Firestore, of one instant, read-only
saving               to JSON and back
admin_edits          what admins did to sessions by hand
reconstruction       who held which seat when, as far as the events and the edits show it
acknowledged_leases  what the service told clients that they hold
one invariant        one module each, listed in ``judge``; what it finds is a ``violation``
cli                  the same over a deployed organization: ``python -m infra.judge``
===================  ==============================================================================================
"""
