"""Counters that do not agree with the sessions: what is told of it."""

from datetime import datetime

from shared.rules.audit import AuditEvent, usage_repaired
from shared.rules.seat_use import SeatUse
from shared.store.firestore import Document


def repair_event(
    stored: Document | None, *, before: SeatUse | None, after: SeatUse, now: datetime
) -> AuditEvent | None:
    """Report a repair of the counters, or ``None`` when nothing was wrong with them.

    ``before`` is what ``stored`` says, or ``None`` when it cannot be trusted. No counters yet are no fault.
    """
    if before == after or (stored is None and not after.by_license):
        return None
    return usage_repaired(at=now, before=None if before is None else before.by_license, after=after.by_license)
