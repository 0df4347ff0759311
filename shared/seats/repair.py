"""Counters that do not agree with the sessions: taken from them again, and what is told of it."""

import asyncio
from datetime import datetime

from shared.documents import queries
from shared.documents.paths import OrganizationPaths
from shared.documents.reading import seat_use_from
from shared.documents.writing import Retention, audit_event_write, document_write, seat_use_fields
from shared.firestore.client import Document, Firestore, Instant
from shared.firestore.writes import Write
from shared.rules.audit import AuditEvent, usage_repaired
from shared.rules.seat_use import SeatUse
from shared.seats.evidence import NO_LICENSE, latest_grant, recount


def repair_event(
    stored: Document | None, *, before: SeatUse | None, after: SeatUse, now: datetime
) -> AuditEvent | None:
    """Report a repair of the counters, or ``None`` when nothing was wrong with them.

    ``before`` is what ``stored`` says, or ``None`` when it cannot be trusted. No counters yet are no fault.
    """
    if before == after or (stored is None and not after.by_license):
        return None
    return usage_repaired(at=now, before=None if before is None else before.by_license, after=after.by_license)


async def repair_counters(firestore: Firestore, paths: OrganizationPaths, retention: Retention) -> bool:
    """Compare the counters with the sessions of the same instant, and write them anew where they differ.

    Written under the condition that nobody has changed them since; additions in between mean: read again. Says whether
    it wrote.

    Raises:
        Conflict: they changed meanwhile; nothing was written.
        StoreUnavailable: no answer.
    """
    snapshot = await firestore.read([paths.seats])
    stored = snapshot.documents[paths.seats]
    before = seat_use_from(stored)
    if before is not None and await _agrees(firestore, paths, before, at=snapshot.at):
        return False
    after = await recount(firestore, paths, at=snapshot.at)
    event = repair_event(stored, before=before, after=after, now=snapshot.at.now)
    if event is None:
        return False
    counters = document_write(paths.seats, stored, seat_use_fields(after, now=snapshot.at.now))
    writes: list[Write] = [audit_event_write(event, paths, retention)]
    if counters is not None:
        writes.append(counters)
    await firestore.commit(writes)
    return True


async def _agrees(firestore: Firestore, paths: OrganizationPaths, use: SeatUse, *, at: Instant) -> bool:
    """Whether the counters say what the sessions say, of every license, and know of the latest grant."""
    if use.of(NO_LICENSE):
        return False  # those sessions no query finds: they have to be counted one by one
    scopes = [None, *use.by_license]
    latest, held = await asyncio.gather(
        firestore.select(paths.organization, queries.last_grant(), at=at),
        asyncio.gather(*(firestore.count(paths.organization, queries.open_sessions(each), at=at) for each in scopes)),
    )
    counted = [use.total, *use.by_license.values()]
    return held == counted and latest_grant(latest) <= use.grants
