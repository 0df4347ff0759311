"""Acquire: two round trips for a group, one to four more when a refusal has to be examined.

Read; decide; if a request would be refused, examine the sessions and decide once more; write.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.documents import queries
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import (
    license_from,
    licenses_with_line,
    organization_from,
    seat_use_from,
    user_from,
)
from shared.firestore.client import Document, Firestore, ReadTime, Snapshot
from shared.firestore.group_commit import Answered, Decision, GroupedOperation, Undecided
from shared.firestore.writes import Write
from shared.rules.acquire import AcquireOutcome, CapReached, Device, Queued, SeatLimitReached
from shared.rules.license import License, normal_key
from shared.rules.organization import Organization
from shared.rules.refusal import LicenseNotFound, Unusable
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason, session_id_of
from shared.seats.counters import Evidence, Scope, agrees, examine, recount, repair_writes
from shared.seats.endings import by_hand_writes
from shared.seats.instance_news import news_writes
from shared.seats.license_keys import Found, LicenseKeys
from shared.seats.recent_examinations import Examined, RecentExaminations
from shared.seats.seat_draft import OrganizationState, SeatDraft

logger = logging.getLogger(__name__)
_MISSING = object()
_REASONS = [*EndReason]

Outcomes = list[AcquireOutcome | Undecided]


@dataclass(frozen=True, kw_only=True, slots=True)
class AcquireRequest:
    """A seat of the license with this key, for this user on this device.

    With ``borrow_until`` it is borrowed. With ``wait_until`` the user waits for it, if there is none.
    """

    user_id: str
    license_key: str
    device: Device
    borrow_until: datetime | None = None
    wait_until: datetime | None = None

    def session_id(self, license_id: str) -> str:
        """Name the session that it asks for."""
        return session_id_of(license_id=license_id, user_id=self.user_id, hardware_id=self.device.hardware_id)


class Acquires(GroupedOperation[AcquireRequest, AcquireOutcome]):
    """The acquires of one function instance, for all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._policy = policy
        self._keys = LicenseKeys(firestore)
        self._examinations = RecentExaminations()
        super().__init__(firestore, answer_within=policy.answer_within)

    async def acquire(self, organization_id: str, request: AcquireRequest) -> Answered[AcquireOutcome]:
        """Take a seat, or say why not. Asking again, after any answer or none, never takes a second one.

        Raises:
            Contended: other instances were faster until the deadline.
            StoreUnavailable: Firestore did not answer until the deadline.
        """
        answered = await self._submit(organization_id, request)
        if isinstance(answered.outcome, LicenseNotFound):
            # A user who tries keys leaves no audit event. These lines can be counted by user.
            told = {"organization_id": organization_id, "user_id": request.user_id}
            logger.info("a user asked for a license key that the organization does not have", extra=told)
        return answered

    async def _decide(self, organization_id: str, requests: Sequence[AcquireRequest]) -> Decision[AcquireOutcome]:
        paths = OrganizationPaths(organization_id)
        found = await self._keys.find(paths, [request.license_key for request in requests])
        session_ids = _session_ids(requests, found)
        own_places = _own_places(paths, requests, found)
        needed = _documents_needed(paths, requests, found, session_ids)
        snapshot = await self._firestore.read([*needed, *own_places])
        at, moved = snapshot.at, self._forget_moved_keys(paths, found, snapshot)
        own = {session_id: snapshot.documents[paths.session(session_id)] for session_id in session_ids}
        state = self._state(paths, requests, found, snapshot)
        if reports := await self._report_ends_by_hand(paths, own.values(), snapshot.documents[paths.seats], at):
            return Decision(outcomes=[Undecided() for _ in requests], writes=reports, now=at.now)
        use = state.use or await recount(self._firestore, paths, before=None, at=at)
        devices = await self._limited(paths, requests, found, state, at)
        state, places = await self._line(paths, own_places, state, snapshot)
        draft = SeatDraft(state=state, now=at.now, use=use, stored_sessions={**devices, **own}, stored_places=places)
        draft.end_lapsed(devices)
        outcomes = _fold(draft, requests, found, moved)

        refused = dict.fromkeys(_scope_of(refusal) for each in outcomes if (refusal := _cap_reached(each)) is not None)
        examined = self._examinations.of(organization_id, now=at.now) if refused else {}
        if unexamined := [scope for scope in refused if scope not in examined]:
            evidence = await self._examine(paths, unexamined, use, at)
            if not agrees(use, evidence):
                use = await recount(self._firestore, paths, before=state.use, at=at)
            seen = {document.document_id: document for proof in evidence.values() for document in proof.documents}
            draft = SeatDraft(
                state=state, now=at.now, use=use, stored_sessions={**seen, **devices, **own}, stored_places=places
            )
            lapsed = {document.document_id for proof in evidence.values() for document in proof.lapsed}
            draft.end_lapsed(lapsed | devices.keys())
            outcomes = _fold(draft, requests, found, moved)
            examined |= {
                scope: Examined(at=at.now, next_to_lapse_at=draft.earliest_expiry(scope))
                for scope, proof in evidence.items()
                if not proof.has_more_lapsed
            }
        if refused:
            outcomes = [_with_expiry(outcome, draft, examined) for outcome in outcomes]

        for request, license_id, refusal in _denied(requests, outcomes, found):
            draft.deny(user_id=request.user_id, license_id=license_id, device=request.device, refusal=refusal)
        writes = draft.writes(self._policy.retention)
        if draft.news:
            writes += await news_writes(self._firestore, paths, draft.news, self._policy.retention, at=at)
        return Decision(
            outcomes=outcomes,
            writes=writes,
            now=at.now,
            when_done=(lambda: self._examinations.keep(organization_id, examined)) if examined else (lambda: None),
        )

    async def _report_ends_by_hand(
        self, paths: OrganizationPaths, own: Iterable[Document | None], counters: Document | None, at: ReadTime
    ) -> Sequence[Write]:
        """The writes that report ends by hand, and repair the counters, which do not know of them.

        The next round grants: a grant takes over the session's document.
        """
        perhaps = [document for document in own if document is not None and _may_be_ended_by_hand(document)]
        if not perhaps:
            return []
        retention = self._policy.retention
        reports = await by_hand_writes(self._firestore, paths, perhaps, retention, at=at)
        if not reports:
            return []
        return [*reports, *await repair_writes(self._firestore, paths, counters, retention, at=at)]

    async def _limited(
        self,
        paths: OrganizationPaths,
        requests: Sequence[AcquireRequest],
        found: Mapping[str, Found],
        state: OrganizationState,
        at: ReadTime,
    ) -> Mapping[str, Document]:
        """The open sessions that the limits of devices and of borrowed seats count, by id."""
        looks = set()
        for request in requests:
            license_id = found[request.license_key]
            license_ = state.licenses[license_id] if isinstance(license_id, str) else None
            if not isinstance(license_, License):
                continue
            if license_.max_devices_per_user is not None:
                looks.add(queries.open_sessions_of(request.user_id, license_.license_id))
            if license_.max_borrowed_seats is not None and request.borrow_until is not None:
                looks.add(queries.borrowed_seats(license_.license_id, now=at.now))
        pages = await asyncio.gather(*(self._firestore.select(paths.organization, each, at=at) for each in looks))
        return {document.document_id: document for page in pages for document in page}

    async def _line(
        self,
        paths: OrganizationPaths,
        own_places: Collection[str],
        state: OrganizationState,
        snapshot: Snapshot,
    ) -> tuple[OrganizationState, Mapping[str, Document]]:
        """The places in the line and those that the requests had, by id; and the state with the licenses of all lines.

        Nothing is read unless the counters say that users may be waiting. With a cap of the organization, the line of
        every license counts, because all of them take from that cap.
        """
        had = [snapshot.documents[path] for path in own_places]
        places = {document.document_id: document for document in had if document is not None}
        capped = isinstance(state.organization, Organization) and state.organization.max_concurrent_seats is not None
        if not state.line_until.keys() & (state.line_until if capped or own_places else state.licenses).keys():
            return state, places
        others = state.line_until.keys() - state.licenses.keys() if capped else set[str]()
        at = snapshot.at
        waiting, licenses = await asyncio.gather(
            self._firestore.select(paths.organization, queries.places_in_line(now=at.now), at=at),
            self._licenses(paths, others, at),
        )
        places |= {document.document_id: document for document in waiting}
        return replace(state, licenses={**licenses, **state.licenses}), places

    async def _licenses(
        self, paths: OrganizationPaths, license_ids: Collection[str], at: ReadTime
    ) -> Mapping[str, License | Unusable | None]:
        if not license_ids:
            return {}
        stored = (await self._firestore.read([*map(paths.license, license_ids)], at=at)).documents
        return {each: license_from(stored[paths.license(each)], self._policy) for each in license_ids}

    async def _examine(
        self, paths: OrganizationPaths, scopes: Sequence[Scope], use: SeatUse, at: ReadTime
    ) -> dict[Scope, Evidence]:
        lately = self._examinations.lately(paths.organization_id, now=at.now)
        counted = {scope: use.in_scope(scope) if scope in lately else None for scope in scopes}
        proofs = await asyncio.gather(
            *(examine(self._firestore, paths, scope, counted=counted[scope], at=at) for scope in scopes)
        )
        return dict(zip(scopes, proofs, strict=True))

    def _forget_moved_keys(
        self, paths: OrganizationPaths, found: Mapping[str, Found], snapshot: Snapshot
    ) -> frozenset[str]:
        """The keys whose remembered license has them no longer: they are looked up in the next round."""
        moved = set()
        for key, license_id in found.items():
            if isinstance(license_id, str):
                document = snapshot.documents[paths.license(license_id)]
                if document is None or not _is_key(document.fields.get("license_key"), key):
                    self._keys.forget(paths, key)
                    moved.add(key)
        return frozenset(moved)

    def _state(
        self,
        paths: OrganizationPaths,
        requests: Sequence[AcquireRequest],
        found: Mapping[str, Found],
        snapshot: Snapshot,
    ) -> OrganizationState:
        documents = snapshot.documents
        license_ids = {license_id for license_id in found.values() if isinstance(license_id, str)}
        return OrganizationState(
            paths=paths,
            organization=organization_from(documents[paths.organization]),
            users={request.user_id: user_from(documents[paths.user(request.user_id)]) for request in requests},
            licenses={
                license_id: license_from(documents[paths.license(license_id)], self._policy)
                for license_id in license_ids
            },
            seats=documents[paths.seats],
            use=seat_use_from(documents[paths.seats]),
            line_until=licenses_with_line(documents[paths.seats], now=snapshot.at.now),
        )


def _may_be_ended_by_hand(document: Document) -> bool:
    """Whether to read it as a session: most have a time and a reason, or neither. An admin may write anything."""
    at, reason = (document.fields.get(name, _MISSING) for name in ("ended_at", "end_reason"))
    return at is not None and reason not in _REASONS


def _is_key(stored: object, key: str) -> bool:
    return stored == key or (isinstance(stored, str) and normal_key(stored) == normal_key(key))


def _session_ids(requests: Sequence[AcquireRequest], found: Mapping[str, Found]) -> list[str]:
    """The sessions that the requests ask for."""
    return [
        request.session_id(license_id)
        for request in requests
        if isinstance(license_id := found[request.license_key], str)
    ]


def _own_places(paths: OrganizationPaths, requests: Sequence[AcquireRequest], found: Mapping[str, Found]) -> list[str]:
    """The places in the line that the requests may have, of those that would wait."""
    waiting = [request for request in requests if request.wait_until is not None]
    return [*map(paths.waiting, _session_ids(waiting, found))]


def _documents_needed(
    paths: OrganizationPaths,
    requests: Sequence[AcquireRequest],
    found: Mapping[str, Found],
    session_ids: Iterable[str],
) -> list[str]:
    needed = [paths.organization, paths.seats, *map(paths.session, session_ids)]
    for request in requests:
        license_id = found[request.license_key]
        needed.append(paths.user(request.user_id))
        if isinstance(license_id, str):
            needed.append(paths.license(license_id))
    return needed


def _fold(
    draft: SeatDraft, requests: Sequence[AcquireRequest], found: Mapping[str, Found], moved: frozenset[str]
) -> Outcomes:
    """Decide one request after the other, each on top of those before it."""
    return [
        Undecided()
        if request.license_key in moved
        else draft.acquire(
            user_id=request.user_id,
            found=found[request.license_key],
            device=request.device,
            borrow_until=request.borrow_until,
            wait_until=request.wait_until,
        )
        for request in requests
    ]


def _denied(
    requests: Sequence[AcquireRequest], outcomes: Sequence[AcquireOutcome | Undecided], found: Mapping[str, Found]
) -> Iterator[tuple[AcquireRequest, str, CapReached]]:
    """The requests in whose way a cap stands, each with its license."""
    for request, outcome in zip(requests, outcomes, strict=True):
        license_id = found[request.license_key]
        if isinstance(outcome, CapReached) and isinstance(license_id, str):
            yield request, license_id, outcome


def _cap_reached(outcome: AcquireOutcome | Undecided) -> CapReached | None:
    """The cap that stands in the way of a request, also of one that waits."""
    refusal = outcome.refusal if isinstance(outcome, Queued) else outcome
    return refusal if isinstance(refusal, CapReached) else None


def _scope_of(refusal: CapReached) -> Scope:
    return refusal.license_id if isinstance(refusal, SeatLimitReached) else None


def _with_expiry(
    outcome: AcquireOutcome | Undecided, draft: SeatDraft, examined: Mapping[Scope, Examined]
) -> AcquireOutcome | Undecided:
    """Say when a seat may fall free. A refusal that nobody has examined, or not to its end, needs another round."""
    if (refusal := _cap_reached(outcome)) is None:
        return outcome
    scope = _scope_of(refusal)
    if scope not in examined:
        return Undecided()
    if not isinstance(outcome, CapReached):
        return outcome
    times = (draft.earliest_expiry(scope), examined[scope].next_to_lapse_at)
    return replace(outcome, earliest_expiry_at=min(filter(None, times), default=None))
