"""The counters of an organization: counted again from the sessions, compared, and repaired."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.documents import queries
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.reading import seat_use_from, session_from
from shared.documents.writing import Retention, audit_event_write, document_write, seat_use_fields
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.writes import Write
from shared.rules.audit import AuditEvent, grant_name, usage_repaired
from shared.rules.seat_use import SeatUse
from shared.rules.session import Session

Scope = str | None
"""Whose seats: a license's (its id), or the whole organization's (``None``)."""

NO_LICENSE = "/"
"""What sessions count under whose license is no license: a name that none can have."""

MAX_GRANTS = 2**31
"""A higher number is somebody's slip: the seal of so many grants would not fit into Firestore's 64 bits."""

_AHEAD = 20
"""Grants looked for by name at a time."""

MAX_LAPSED = 200
"""Lapsed sessions ended in one commit at most; when more stand in the way, the next commit ends more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What the session documents say about one scope at the instant of the decision."""

    open_count: int
    lapsed: tuple[Document, ...]
    next_to_lapse: Document | None
    has_more_lapsed: bool

    @property
    def documents(self) -> tuple[Document, ...]:
        """Every session document seen."""
        return self.lapsed if self.next_to_lapse is None else (*self.lapsed, self.next_to_lapse)


async def examine(
    firestore: Firestore, paths: OrganizationPaths, scope: Scope, *, wanted: int, at: ReadTime
) -> Evidence:
    """Look at the sessions of a scope as they were at ``at``. ``wanted`` is how many seats would have to be free.

    Three queries at once, one round trip.
    """
    # A few more than wanted, lest documents that cannot be read stand in front of those that can.
    limit = min(wanted + 20, MAX_LAPSED)
    open_count, lapsed, next_to_lapse = await asyncio.gather(
        firestore.count(paths.organization, queries.open_sessions(scope), at=at),
        firestore.select(paths.organization, queries.lapsed_sessions(scope, now=at.now, limit=limit), at=at),
        firestore.select(paths.organization, queries.next_to_lapse(scope, now=at.now), at=at),
    )
    # A session that cannot be read cannot be ended: it goes on counting until an admin mends or deletes it.
    usable = tuple(document for document in lapsed if isinstance(session_from(document), Session))
    return Evidence(
        open_count=open_count,
        lapsed=usable,
        next_to_lapse=next_to_lapse[0] if next_to_lapse else None,
        has_more_lapsed=bool(usable) and len(lapsed) == limit,
    )


async def recount(firestore: Firestore, paths: OrganizationPaths, *, at: ReadTime) -> SeatUse:
    """Take the counters from the sessions and the audit trail.

    Costs one read per open session; only for counters that are missing or wrong.
    """
    documents, last = await asyncio.gather(
        firestore.select(paths.organization, queries.seats_held(), at=at),
        firestore.select(paths.organization, queries.last_grant(), at=at),
    )
    held = Counter(counted_under(document.fields.get("license_id")) for document in documents)
    return SeatUse(by_license=held, grants=await _beyond(firestore, paths, latest_grant(last), at=at))


async def _beyond(firestore: Firestore, paths: OrganizationPaths, grants: int, *, at: ReadTime) -> int:
    """Find the latest grant although somebody edited the numbers of the latest ones: their names still tell."""
    while True:
        following = {paths.audit_event(grant_name(grants + ahead)): grants + ahead for ahead in range(1, _AHEAD + 1)}
        stored = (await firestore.read(following, at=at)).documents
        named = [number for path, number in following.items() if stored[path] is not None]
        if not named:
            return grants
        grants = max(named)


def latest_grant(events: Iterable[Document]) -> int:
    """The highest number of a grant among these events, highest first. A number that somebody edited may be none."""
    numbers = (event.fields.get("grant_number") for event in events)
    return next((number for number in numbers if type(number) is int and 0 < number < MAX_GRANTS), 0)


async def told_of(
    firestore: Firestore, paths: OrganizationPaths, events: Collection[AuditEvent], *, at: ReadTime
) -> frozenset[str]:
    """Which of these events the trail has already, by their names."""
    if not events:
        return frozenset()
    snapshot = await firestore.read([paths.audit_event(event.name) for event in events], at=at)
    return frozenset(event.name for event in events if snapshot.documents[paths.audit_event(event.name)] is not None)


def counted_under(license_id: object) -> str:
    """Where a session counts. One whose license is none counts for the organization: its seat is in use as well."""
    return license_id if isinstance(license_id, str) and can_be_document_id(license_id) else NO_LICENSE


def agrees(use: SeatUse, evidence: Mapping[Scope, Evidence]) -> bool:
    """Whether the counters say what the sessions say, in every scope that was looked at."""
    return all(seen.open_count == (use.total if scope is None else use.of(scope)) for scope, seen in evidence.items())


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


async def _agrees(firestore: Firestore, paths: OrganizationPaths, use: SeatUse, *, at: ReadTime) -> bool:
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
