"""Ending sessions: the session under its own precondition, its audit event, and a blind decrement of the counters.

Freeing commutes, so it needs no condition on the counter and never starves behind acquires.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from shared.documents.paths import OrganizationPaths
from shared.documents.writing import Retention, audit_event_write, end_write, seat_use_change
from shared.firestore.client import Document
from shared.firestore.writes import Write
from shared.rules.audit import ended as audit_ended
from shared.rules.session import Session


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """A session as it is after its end, the document it was read from, and who ended it."""

    session: Session
    document: Document
    actor: str


def ending_writes(endings: Iterable[Ending], paths: OrganizationPaths, retention: Retention) -> list[Write]:
    """Write the ends of sessions, their events, and one change of the counters for all of them."""
    writes: list[Write] = []
    freed: Counter[str] = Counter()
    for ending in endings:
        writes.append(end_write(ending.document, ending.session, retention))
        writes.append(audit_event_write(audit_ended(ending.session, actor=ending.actor), paths, retention))
        freed[ending.session.license_id] += 1
    if freed:
        # Without a condition: on a counter that an admin deleted this leaves negative numbers, which no acquire trusts.
        changes = {license_id: -seats for license_id, seats in freed.items()}
        writes.append(seat_use_change(paths, changes, granted=0))
    return writes
