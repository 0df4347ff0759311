"""Acquire in the store: two round trips for a group when no seat is short, one more when one is."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cachetools import LRUCache

from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import license_from, organization_from, seat_use_from, session_from, user_from
from shared.firestore.client import Document, Firestore, ReadTime, Snapshot
from shared.firestore.group_commit import Answered, Decision, GroupCommit, Groups, Undecided
from shared.rules.acquire import (
    AcquireOutcome,
    Device,
    Granted,
    SeatLimitReached,
    earliest_expiry,
)
from shared.rules.audit import AuditEvent, ended_by_hand
from shared.rules.denial import CapReached, denial_name
from shared.rules.session import Session, is_ended_by_hand, session_id_of
from shared.seats.attempt_reads import AttemptReads
from shared.seats.counters import Evidence, Scope, agrees, examine, recount, told_of
from shared.seats.denials import Attempted, DeferredDenials
from shared.seats.license_keys import Found, LicenseKeys
from shared.seats.seat_draft import OrganizationState, SeatDraft

Decide = Callable[[Sequence["AcquireRequest"]], Awaitable[Decision[AcquireOutcome]]]

MAX_FLOODS = 10_000
"""Organizations whose refusals of this second an instance remembers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AcquireRequest:
    """A seat of the license with this key, for this user on this device."""

    user_id: str
    license_key: str
    device: Device

    def session_id(self, license_id: str) -> str:
        """Name the session that it asks for."""
        return session_id_of(license_id=license_id, user_id=self.user_id, hardware_id=self.device.hardware_id)


class Acquires:
    """The acquires of one function instance, over all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        """Use the connection for every organization."""
        self._firestore = firestore
        self._policy = policy
        self._keys = LicenseKeys(firestore)
        self._tallies: LRUCache[str, DeferredDenials] = LRUCache(MAX_FLOODS)
        self._groups = Groups[AcquireRequest, AcquireOutcome](
            lambda organization_id, pace: GroupCommit(
                decide=self._for_a_group(OrganizationPaths(organization_id)),
                commit=firestore.commit,
                answer_within=policy.answer_within,
                pace=pace,
            ),
        )

    async def acquire(self, organization_id: str, request: AcquireRequest) -> Answered[AcquireOutcome]:
        """Take a seat, or say why not. Asking again, after any answer or none, never takes a second one.

        Raises:
            Contended: other instances were faster until the deadline.
            StoreUnavailable: Firestore did not answer until the deadline.
        """
        return await self._groups.submit(organization_id, request)

    def _for_a_group(self, paths: OrganizationPaths) -> Decide:
        return partial(self._decide, paths, Attempted(), AttemptReads(self._firestore, changing=paths.seats))

    async def _decide(
        self, paths: OrganizationPaths, attempted: Attempted, reads: AttemptReads, requests: Sequence[AcquireRequest]
    ) -> Decision[AcquireOutcome]:
        attempted.forget_others_than(requests)
        found = await self._keys.find(paths, [request.license_key for request in requests])
        snapshot, has_kept = await reads.read(_documents_needed(paths, requests, found))
        moved = self._forget_moved_keys(paths, found, snapshot)
        state = self._state(paths, requests, found, snapshot)
        own = _own_sessions(paths, requests, found, snapshot)
        told = await told_of(self._firestore, paths, _ends_by_hand(own.values(), snapshot.at), at=snapshot.at)
        use = state.use or await recount(self._firestore, paths, at=snapshot.at)

        tallies = self._tallies_of(paths)
        tallies.refusal_cache.go_to(snapshot.at.now)
        has_risen = tallies.refusal_cache.has_risen
        evidence = tallies.refusal_cache.evidence(state.seats, now=snapshot.at.now) if has_risen else {}
        added: set[str] = set()
        denials: dict[str, Document | None] = {}
        while True:
            seen = {document.document_id: document for proof in evidence.values() for document in proof.documents}
            draft = SeatDraft(
                state=state,
                now=snapshot.at.now,
                use=use,
                stored_sessions={**seen, **own},
                stored_denials=denials,
                told=told,
            )
            for lapsed in {document.document_id for proof in evidence.values() for document in proof.lapsed}:
                draft.end_lapsed(lapsed)
            outcomes = [
                Undecided()
                if request.license_key in moved
                else draft.acquire(user_id=request.user_id, found=found[request.license_key], device=request.device)
                for request in requests
            ]
            if has_kept and not all(isinstance(outcome, Granted) for outcome in outcomes):
                # Only a grant is written under the condition that its session is as it was read. Nothing is kept now.
                return await self._decide(paths, attempted, reads, requests)
            unexamined = {scope: wanted for scope, wanted in _seats_wanted(outcomes).items() if scope not in evidence}
            names = _denial_names(requests, outcomes, found, snapshot.at)
            added = tallies.refusal_cache.on_record(names) if has_risen else set()
            unread = names - added - denials.keys()
            if not unexamined and not unread:
                break
            proofs, stored = await asyncio.gather(
                self._examine(paths, unexamined, snapshot.at), self._read_denials(paths, unread, snapshot.at)
            )
            evidence |= proofs
            denials |= stored
            if not agrees(use, evidence):
                use = await recount(self._firestore, paths, at=snapshot.at)
        final = _with_expiries(outcomes, draft, evidence)
        tallied, recorded, counted = [], [], []
        for request, license_id, refusal in _denied(requests, final, found):
            name = denial_name(session_id=request.session_id(license_id), now=snapshot.at.now)
            if name in added:
                tallied.append(name)
                continue
            recorded.append(name)
            counted.append(request)
            if not attempted.is_counted(request, denials[name]):
                draft.deny(user_id=request.user_id, license_id=license_id, device=request.device, refusal=refusal)
        attempted.note(counted, now=snapshot.at.now)

        def when_done() -> None:
            reads.forget()
            tallies.refusal_cache.remember(evidence, seats=state.seats)
            tallies.refusal_cache.refused(recorded=recorded, tallied=tallied, now=snapshot.at.now)
            tallies.write_later()

        return Decision(
            outcomes=final,
            writes=draft.writes(self._policy.retention),
            now=snapshot.at.now,
            when_done=when_done,
        )

    def _tallies_of(self, paths: OrganizationPaths) -> DeferredDenials:
        tallies = self._tallies.get(paths.organization)
        if tallies is None:
            tallies = DeferredDenials(self._firestore, paths, within=self._policy.answer_within)
            self._tallies[paths.organization] = tallies
        return tallies

    async def _examine(
        self, paths: OrganizationPaths, wanted: Mapping[Scope, int], at: ReadTime
    ) -> dict[Scope, Evidence]:
        proofs = await asyncio.gather(
            *(examine(self._firestore, paths, scope, wanted=number, at=at) for scope, number in wanted.items())
        )
        return dict(zip(wanted, proofs, strict=True))

    async def _read_denials(
        self, paths: OrganizationPaths, names: Collection[str], at: ReadTime
    ) -> dict[str, Document | None]:
        if not names:
            return {}
        read = await self._firestore.read([paths.audit_event(name) for name in names], at=at)
        return {name: read.documents[paths.audit_event(name)] for name in names}

    def _forget_moved_keys(
        self, paths: OrganizationPaths, found: Mapping[str, Found], snapshot: Snapshot
    ) -> frozenset[str]:
        """The keys whose remembered license has them no longer: they are looked up in the next round."""
        moved = set()
        for key, license_id in found.items():
            if isinstance(license_id, str):
                document = snapshot.documents[paths.license(license_id)]
                if document is None or document.fields.get("license_key") != key:
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
        )


def _documents_needed(
    paths: OrganizationPaths, requests: Sequence[AcquireRequest], found: Mapping[str, Found]
) -> list[str]:
    needed = [paths.organization, paths.seats]
    for request in requests:
        license_id = found[request.license_key]
        needed.append(paths.user(request.user_id))
        if isinstance(license_id, str):
            needed += [paths.license(license_id), paths.session(request.session_id(license_id))]
    return needed


def _own_sessions(
    paths: OrganizationPaths, requests: Sequence[AcquireRequest], found: Mapping[str, Found], snapshot: Snapshot
) -> dict[str, Document | None]:
    ids = [
        request.session_id(license_id)
        for request in requests
        if isinstance(license_id := found[request.license_key], str)
    ]
    return {session_id: snapshot.documents[paths.session(session_id)] for session_id in ids}


def _ends_by_hand(own: Iterable[Document | None], at: ReadTime) -> list[AuditEvent]:
    """What is to be told of sessions that somebody ended in the console."""
    # Parsed again only where there may be such an end: this is on the way of every acquire.
    sessions = (
        session_from(document)
        for document in own
        if document is not None
        and document.fields.get("ended_at") is not None
        and not document.fields.get("end_reason")
    )
    return [
        ended_by_hand(session, now=at.now)
        for session in sessions
        if isinstance(session, Session) and is_ended_by_hand(session)
    ]


def _denied(
    requests: Sequence[AcquireRequest], outcomes: Sequence[AcquireOutcome | Undecided], found: Mapping[str, Found]
) -> Iterator[tuple[AcquireRequest, str, CapReached]]:
    """The requests in whose way a cap stands, each with its license."""
    for request, outcome in zip(requests, outcomes, strict=True):
        license_id = found[request.license_key]
        if isinstance(outcome, CapReached) and isinstance(license_id, str):
            yield request, license_id, outcome


def _denial_names(
    requests: Sequence[AcquireRequest],
    outcomes: Sequence[AcquireOutcome | Undecided],
    found: Mapping[str, Found],
    at: ReadTime,
) -> set[str]:
    return {
        denial_name(session_id=request.session_id(license_id), now=at.now)
        for request, license_id, _ in _denied(requests, outcomes, found)
    }


def _scope_of(outcome: CapReached) -> Scope:
    return outcome.license_id if isinstance(outcome, SeatLimitReached) else None


def _seats_wanted(outcomes: Sequence[AcquireOutcome | Undecided]) -> dict[Scope, int]:
    """How many seats would have to fall free in each scope for nobody to be refused."""
    wanted: Counter[Scope] = Counter()
    excess: dict[Scope, int] = {}
    for outcome in outcomes:
        if isinstance(outcome, CapReached):
            scope = _scope_of(outcome)
            wanted[scope] += 1
            excess[scope] = max(0, outcome.in_use - outcome.max_seats)
    return {scope: number + excess[scope] for scope, number in wanted.items()}


def _with_expiries(
    outcomes: Sequence[AcquireOutcome | Undecided], draft: SeatDraft, evidence: Mapping[Scope, Evidence]
) -> list[AcquireOutcome | Undecided]:
    """Say when a seat may fall free, or leave the requests open for which lapsed sessions are still to be ended."""
    sessions = draft.sessions
    earliest = {
        scope: earliest_expiry(
            (each for each in sessions if scope is None or each.license_id == scope),
            now=draft.now,
        )
        for scope in evidence
    }
    final: list[AcquireOutcome | Undecided] = []
    for outcome in outcomes:
        if not isinstance(outcome, CapReached):
            final.append(outcome)
        elif evidence[_scope_of(outcome)].has_more_lapsed:
            final.append(Undecided())
        else:
            final.append(replace(outcome, earliest_expiry_at=earliest[_scope_of(outcome)]))
    return final
