"""The judge: checks from an organization's audit trail and documents whether Seatlease kept its promises.

``judge(history)`` decides. It reads plain records, so the same code judges a test run and a deployed organization.
It does not trust the seat protocol's own counts: neither counters nor the seats in use that an event reports.

===================  ==============================================================================================
history              the records: documents, events, and what clients and admins noted
reading              reads a history from Firestore, at one instant
saving               writes a history as JSON and reads it again
admin_edits          how admins changed sessions
reconstruction       which user held which seat when, from the events and the edits
acknowledged_leases  the leases that clients were given
versions             what licenses, users and the organization held over time, from the edits
terms                the terms of the license, and the user's groups, that a decision may have used
pool_use             the seats in use, by pool, that the decision of a grant counted
(other modules)      one invariant each, listed in ``judge``; a broken one is a ``violation``
cli                  judges deployed organizations: ``python -m infra.judge``
===================  ==============================================================================================
"""
