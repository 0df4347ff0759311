"""The proof: what an organization's audit trail and documents say about whether the promises were kept.

``judge(history)`` decides; it looks at plain records, so the same code judges a test's run and a deployed organization.
It believes nothing that the seat protocol says of itself: no counter, no number of seats in use that an event tells.

=================  ================================================================================================
history            the records: what was read, what clients and admins noted
reading            takes them from Firestore, of one instant, read-only
saving             to JSON Lines and back
tenures, caps      what follows from the events: who held a seat when, which cap was in force when
one invariant      one module each, listed in ``judge``
=================  ================================================================================================
"""
