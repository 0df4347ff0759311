"""The proof: what an organization's audit trail and documents say about whether the promises were kept.

``judge(history)`` decides; it looks at plain records, so the same code judges a test's run and a deployed organization.
It believes nothing that the seat protocol says of itself: no counter, no number of seats in use that an event tells.

=================  ================================================================================================
history            the records: what was read, what clients and admins noted
reading            takes them from Firestore, of one instant, read-only
saving             to JSON and back
hands, tenures     what follows from the events and the edits: who held a seat when, as far as anybody can know
acknowledging      what clients were told that they hold
one invariant      one module each, listed in ``judge``; what it finds is a ``violation``
cli                the same over a deployed organization: ``python -m infra.proof``
=================  ================================================================================================
"""
