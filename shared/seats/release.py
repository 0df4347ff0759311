"""Releases in groups: two round trips for a group, one more if a caller asks for another user's seat.

If no session is open, one more looks for a place in the line: a release of its id leaves the line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import (
    FIELDS_OF_A_TENURE,
    organization_from,
    place_in_line_from,
    session_from,
    user_from,
)
from shared.documents.writing import Retention, audit_event_write, instances_write
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.group_commit import Answered, Decision, GroupedOperation
from shared.firestore.writes import Delete, Write
from shared.rules.audit import SYSTEM, gave_up
from shared.rules.line import GaveUp, PlaceInLine
from shared.rules.organization import Organization
from shared.rules.refusal import Unusable
from shared.rules.release import Left, LeftTheLine, Released, ReleaseOutcome, Standing, release
from shared.rules.session import EndReason, Session, is_open
from shared.rules.user import User
from shared.seats.endings import Ending, ending_writes


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseRequest:
    """A caller's request to give back a seat: their own, or as an owner or admin that of any user.

    With ``instance_id``, only that instance leaves the caller's own seat.
    """

    user_id: str
    session_id: str
    instance_id: str | None = None


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
        holders = {key: each.user_id for key, each in held if isinstance(each, Session | PlaceInLine)}
        organization, users = await self._who_takes_back(paths, requests, holders, at=snapshot.at)
        outcomes: list[ReleaseOutcome] = []
        endings: list[Ending] = []
        left: dict[str, Write] = {}
        given_up: list[Write] = []
        for request in requests:
            standing = Standing(
                organization=organization,
                user=users.get(request.user_id),
                session=sessions[request.session_id],
                place=places.get(request.session_id),
            )
            outcome = release(standing, user_id=request.user_id, now=now, instance_id=request.instance_id)
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
                endings.append(Ending(session=outcome.session, document=document, actor=actor))
            outcomes.append(outcome)
        writes = [*left.values(), *given_up, *ending_writes(endings, paths, self._retention)]
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

    async def _who_takes_back(
        self,
        paths: OrganizationPaths,
        requests: Sequence[ReleaseRequest],
        holders: Mapping[str, str],
        *,
        at: ReadTime,
    ) -> tuple[Organization | Unusable | None, Mapping[str, User | Unusable | None]]:
        """Read the organization, and the users who ask for a seat or a place that is not theirs."""
        asking = {each.user_id for each in requests if holders.get(each.session_id, each.user_id) != each.user_id}
        if not asking:
            return None, {}
        read = await self._firestore.read([paths.organization, *map(paths.user, asking)], at=at)
        users = {user_id: user_from(read.documents[paths.user(user_id)]) for user_id in asking}
        return organization_from(read.documents[paths.organization]), users
