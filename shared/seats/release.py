"""Releases in groups: two round trips for a group, one more if a caller asks for another user's seat.

If no session is open, one more looks for a place in the line: a release of its id leaves the line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import (
    FIELDS_OF_A_TENURE,
    organization_from,
    place_in_line_from,
    session_from,
    user_from,
)
from shared.documents.writing import Retention, audit_event_write, instances_write, kept_out_writes
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.group_commit import Answered, Decision, GroupedOperation
from shared.firestore.writes import Delete, Write
from shared.rules.audit import SYSTEM, gave_up
from shared.rules.line import GaveUp
from shared.rules.organization import Organization
from shared.rules.refusal import Unusable
from shared.rules.release import Left, LeftTheLine, Released, ReleaseOutcome, Standing, release
from shared.rules.session import EndReason, Session, is_open
from shared.rules.user import User
from shared.seats.endings import Ending, ending_writes


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseRequest:
    """A caller's request to give back a seat: their own, or as an owner or admin that of any user.

    With ``instance_id``, only that instance leaves the caller's own seat. With ``until``, the session's user gets no
    seat of its license before then.
    """

    user_id: str
    session_id: str
    instance_id: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Others:
    """What a release of another user's session needs: who asks, and the users who are to be kept out."""

    organization: Organization | Unusable | None = None
    users: Mapping[str, User | Unusable | None] = field(default_factory=dict)
    holders: dict[str, User | Unusable | None] = field(default_factory=dict)
    stored: Mapping[str, Document | None] = field(default_factory=dict)


class Releases(GroupedOperation[ReleaseRequest, ReleaseOutcome]):
    """The releases of one function instance, for all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._retention: Retention = policy.retention
        super().__init__(firestore, answer_within=policy.answer_within)

    async def release(self, organization_id: str, request: ReleaseRequest) -> Answered[ReleaseOutcome]:
        """End the session, or take an instance out of it. Asking again is safe.

        Raises:
            Contended: other requests changed the session until the deadline.
            StoreUnavailable: Firestore did not answer until the deadline.
        """
        return await self._submit(organization_id, request)

    async def _decide(self, organization_id: str, requests: Sequence[ReleaseRequest]) -> Decision[ReleaseOutcome]:
        paths = OrganizationPaths(organization_id)
        snapshot = await self._firestore.read(
            [paths.session(request.session_id) for request in requests], only_fields=FIELDS_OF_A_TENURE
        )
        stored, now = snapshot.documents, snapshot.at.now
        sessions = {request.session_id: session_from(stored[paths.session(request.session_id)]) for request in requests}
        waiting = await self._places(paths, sessions, at=snapshot.at)
        places = {document.document_id: place_in_line_from(document) for document in waiting.values()}
        held = (*sessions.items(), *places.items())
        holders = {key: each.user_id for key, each in held if each is not None and not isinstance(each, Unusable)}
        others = await self._read_others(paths, requests, holders, at=snapshot.at)
        outcomes: list[ReleaseOutcome] = []
        endings: list[Ending] = []
        left: dict[str, Write] = {}
        given_up: list[Write] = []
        kept_out: dict[str, User] = {}
        for request in requests:
            session = sessions[request.session_id]
            standing = Standing(
                organization=others.organization,
                user=others.users.get(request.user_id),
                session=session,
                place=places.get(request.session_id),
                holder=others.holders.get(session.user_id) if isinstance(session, Session) else None,
            )
            outcome = release(
                standing, user_id=request.user_id, now=now, instance_id=request.instance_id, until=request.until
            )
            document = stored[paths.session(request.session_id)]
            if isinstance(outcome, LeftTheLine):
                place = waiting[request.session_id]
                actor = request.user_id if outcome.reason is GaveUp.LEFT else SYSTEM
                event = gave_up(outcome.place, reason=outcome.reason, actor=actor, now=now)
                given_up.append(audit_event_write(event, paths, self._retention))
                given_up.append(Delete(path=place.path, unchanged_since=place.update_time))
                del places[request.session_id]
            elif isinstance(outcome, Left) and document is not None:
                sessions[request.session_id] = outcome.session
                if (write := instances_write(document, outcome.session)) is not None:
                    left[document.path] = write
            elif isinstance(outcome, Released) and document is not None:
                sessions[request.session_id] = outcome.session
                left.pop(document.path, None)
                lapsed = outcome.session.end_reason is EndReason.EXPIRED
                actor = SYSTEM if lapsed else request.user_id
                until = None
                if outcome.kept_out is not None:
                    until = outcome.kept_out.kept_out[outcome.session.license_id]
                    kept_out[outcome.session.user_id] = others.holders[outcome.session.user_id] = outcome.kept_out
                endings.append(Ending(session=outcome.session, document=document, actor=actor, kept_out_until=until))
            outcomes.append(outcome)
        writes: list[Write] = [*left.values(), *given_up, *ending_writes(endings, paths, self._retention)]
        for user_id, user in kept_out.items():
            user_document = others.stored[paths.user(user_id)]
            assert user_document is not None  # noqa: S101 the user was read from it; for the type checker
            writes += kept_out_writes(user_document, others.stored[paths.review("users", user_id)], user)
        return Decision(outcomes=outcomes, writes=writes, now=now)

    async def _places(
        self, paths: OrganizationPaths, sessions: Mapping[str, Session | Unusable | None], *, at: ReadTime
    ) -> Mapping[str, Document]:
        """The places in the line of those ids whose session is not open."""
        over = [
            key for key, each in sessions.items() if each is None or (isinstance(each, Session) and not is_open(each))
        ]
        if not over:
            return {}
        read = await self._firestore.read([*map(paths.waiting, over)], at=at)
        return {document.document_id: document for document in read.documents.values() if document is not None}

    async def _read_others(
        self,
        paths: OrganizationPaths,
        requests: Sequence[ReleaseRequest],
        holders: Mapping[str, str],
        *,
        at: ReadTime,
    ) -> _Others:
        """Read the organization, the users who ask for what is not theirs, and those who are to be kept out.

        ``holders`` are the users of the sessions and places, by id.
        """
        asking, kept_out = set(), set()
        for request in requests:
            holder = holders.get(request.session_id, request.user_id)
            if holder != request.user_id:
                asking.add(request.user_id)
                if request.until is not None:
                    kept_out.add(holder)
        if not asking:
            return _Others()
        needed = asking.union(kept_out)
        records = [paths.review("users", user_id) for user_id in kept_out]
        read = await self._firestore.read([paths.organization, *map(paths.user, needed), *records], at=at)
        users = {user_id: user_from(read.documents[paths.user(user_id)]) for user_id in needed}
        return _Others(
            organization=organization_from(read.documents[paths.organization]),
            users=users,
            holders={user_id: users[user_id] for user_id in kept_out},
            stored=read.documents,
        )
