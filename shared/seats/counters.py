"""Compares the counters of an organization with its sessions, counts them again, and repairs them."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.documents import queries
from shared.documents.forms import GROUP
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.reading import seat_use_from, session_from
from shared.documents.writing import Retention, audit_event_write, document_write, seat_use_fields
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.writes import Create, Update
from shared.rules.audit import AuditEvent, usage_repaired
from shared.rules.digest import digest
from shared.rules.seat_use import Pool, SeatUse
from shared.rules.session import Session

Scope = str | None
"""Which seats: those of a license (its id), or of the whole organization (``None``)."""

NO_LICENSE = "/"
"""Sessions without a possible license id are counted under this name. No license can have it."""

MAX_LAPSED = 200
"""The most lapsed sessions that one commit of an acquire ends. If more must end, the next commit ends them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What the session documents of one scope show at the instant of the decision."""

    open_count: int
    lapsed: tuple[Document, ...]
    next_to_lapse: Document | None
    has_more_lapsed: bool

    @property
    def documents(self) -> tuple[Document, ...]:
        return self.lapsed if self.next_to_lapse is None else (*self.lapsed, self.next_to_lapse)


async def examine(
    firestore: Firestore, paths: OrganizationPaths, scope: Scope, *, counted: int | None, at: ReadTime
) -> Evidence:
    """Query the sessions of a scope as they were at ``at``.

    Two queries at the same time: how many sessions are live, and which lease ends first. If ``counted`` says that the
    scope was examined a moment ago, and as many are live, nothing has lapsed since. If not, a third one counts the open
    sessions. If some of them have lapsed, one more finds them, and a fifth one those of longer ago than ``LOOKS_BACK``.
    """
    live_count, first = await asyncio.gather(
        firestore.count(paths.organization, queries.live_sessions(scope, now=at.now), at=at),
        firestore.select(paths.organization, queries.next_to_lapse(scope, now=at.now), at=at),
    )
    open_count = live_count
    if live_count != counted:
        open_count = await firestore.count(paths.organization, queries.open_sessions(scope), at=at)
    lapsed: list[Document] = []
    if lapsed_count := open_count - live_count:
        lapsed_since = partial(queries.lapsed_sessions, scope, now=at.now, limit=MAX_LAPSED)
        since = at.now - queries.LOOKS_BACK
        lapsed = await firestore.select(paths.organization, lapsed_since(since=since), at=at)
        if len(lapsed) < min(MAX_LAPSED, lapsed_count):
            lapsed = await firestore.select(paths.organization, lapsed_since(), at=at)
    # A session that cannot be read cannot be ended. It holds its seat until an admin corrects or deletes it.
    usable = tuple(document for document in lapsed if isinstance(session_from(document), Session))
    return Evidence(
        open_count=open_count,
        lapsed=usable,
        next_to_lapse=first[0] if first else None,
        has_more_lapsed=bool(usable) and len(lapsed) == MAX_LAPSED,
    )


async def recount(firestore: Firestore, paths: OrganizationPaths, *, before: SeatUse | None, at: ReadTime) -> SeatUse:
    """Count the counters from the sessions and the audit trail.

    It costs one read per open session, so use it only if the counters are missing or wrong. The epoch is that of
    ``before``, or of the latest grant. Without any grant a new one begins. Its name is computed from ``at``, which is
    later than any instant before.
    """
    documents, last = await asyncio.gather(
        firestore.select(paths.organization, queries.seats_held(), at=at),
        firestore.select(paths.organization, queries.last_grant(), at=at),
    )
    held = Counter(counted_under(document.fields.get("license_id")) for document in documents)
    pools = Counter(pool for document in documents if (pool := pool_of(document)) is not None)
    return SeatUse(by_license=held, by_pool=pools, grants=_number_of(last), epoch=_epoch(paths, before, last, at=at))


def _epoch(
    paths: OrganizationPaths, before: SeatUse | None, last_grant: Sequence[Document], *, at: ReadTime
) -> str | None:
    if before is not None:
        return before.epoch
    if last_grant:
        # The same epoch for all who make the counters anew, and for a grant that is under way: it then has their name.
        epoch = last_grant[0].fields.get("epoch")
        return epoch if isinstance(epoch, str) else None
    return digest(paths.organization_id, at.now.isoformat())


def _number_of(last_grant: Iterable[Document]) -> int:
    """The number of the latest grant; 0 if there is none."""
    return max((int(event.fields["grant_number"]) for event in last_grant), default=0)


def counted_under(license_id: object) -> str:
    """The counter of a session. Without a possible license id it counts for the organization only."""
    return license_id if isinstance(license_id, str) and can_be_document_id(license_id) else NO_LICENSE


def pool_of(session: Document) -> Pool | None:
    """The pool that a session counts in; ``None`` if it holds a common seat, or names no possible group."""
    license_id, group = counted_under(session.fields.get("license_id")), session.fields.get("pool")
    return (license_id, group) if isinstance(group, str) and GROUP.fullmatch(group) is not None else None


def agrees(use: SeatUse, evidence: Mapping[Scope, Evidence]) -> bool:
    """Whether the counters match the sessions in every scope of the evidence."""
    return all(seen.open_count == use.in_scope(scope) for scope, seen in evidence.items())


def repair_event(
    stored: Document | None, *, before: SeatUse | None, after: SeatUse, now: datetime
) -> AuditEvent | None:
    """Report a repair of the counters; ``None`` if they were right, or if there are no counters and no seats yet.

    ``before`` is read from ``stored``, or ``None`` if that cannot be trusted.
    """
    if before == after or (stored is None and not after.by_license):
        return None
    return usage_repaired(at=now, before=before, after=after)


async def repair_counters(
    firestore: Firestore, paths: OrganizationPaths, retention: Retention, *, known: Iterable[Document] = ()
) -> bool:
    """Compare the counters with the sessions of the same instant, and write them anew if they differ.

    The pools of ``known`` sessions are compared too: an admin may have typed one that no counter has. Returns whether
    it wrote. The commit fails if the counters changed since they were read.

    Raises:
        Conflict: they changed meanwhile. Nothing was written; read again.
        StoreUnavailable: Firestore did not answer.
    """
    snapshot, pools = await firestore.read([paths.seats]), {*filter(None, map(pool_of, known))}
    stored = snapshot.documents[paths.seats]
    writes = await repair_writes(firestore, paths, stored, retention, pools=pools, at=snapshot.at)
    if writes:
        await firestore.commit(writes)
    return bool(writes)


async def repair_writes(  # noqa: PLR0913 the four that every repair needs, what is compared, and when
    firestore: Firestore,
    paths: OrganizationPaths,
    stored: Document | None,
    retention: Retention,
    *,
    pools: AbstractSet[Pool] = frozenset(),
    at: ReadTime,
) -> list[Create | Update]:
    """The writes that repair the stored counters; none if they match the sessions at ``at``."""
    before = seat_use_from(stored)
    if before is not None and await _agrees(firestore, paths, before, pools, at=at):
        return []
    after = await recount(firestore, paths, before=before, at=at)
    event = repair_event(stored, before=before, after=after, now=at.now)
    if event is None:
        return []
    counters = document_write(paths.seats, stored, seat_use_fields(after, now=at.now))
    report = audit_event_write(event, paths, retention)
    return [report] if counters is None else [report, counters]


async def _agrees(
    firestore: Firestore, paths: OrganizationPaths, use: SeatUse, pools: AbstractSet[Pool], *, at: ReadTime
) -> bool:
    """Whether the counters match the sessions of every license and pool, and include the latest grant."""
    if use.of(NO_LICENSE):
        return False  # no query finds those sessions, so they have to be counted one by one
    scopes, every_pool = [None, *use.by_license], [*{*use.by_pool, *pools}]
    looks = [*map(queries.open_sessions, scopes), *(queries.open_in_pool(*pool) for pool in every_pool)]
    latest, held = await asyncio.gather(
        firestore.select(paths.organization, queries.last_grant(), at=at),
        asyncio.gather(*(firestore.count(paths.organization, each, at=at) for each in looks)),
    )
    counted = [use.total, *use.by_license.values(), *(use.in_pool(*pool) for pool in every_pool)]
    return held == counted and _number_of(latest) <= use.grants
