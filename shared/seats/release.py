"""Releases in groups: two round trips for a group, one more if a caller asks for another user's seat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import FIELDS_OF_A_TENURE, organization_from, session_from, user_from
from shared.documents.writing import Retention, instances_write
from shared.firestore.client import Firestore, ReadTime
from shared.firestore.group_commit import Answered, Decision, GroupedOperation
from shared.firestore.writes import Write
from shared.rules.audit import SYSTEM
from shared.rules.organization import Organization
from shared.rules.refusal import Unusable
from shared.rules.release import Left, Released, ReleaseOutcome, Standing, release
from shared.rules.session import EndReason, Session
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
        organization, users = await self._who_takes_back(paths, requests, sessions, at=snapshot.at)
        outcomes: list[ReleaseOutcome] = []
        endings: list[Ending] = []
        left: dict[str, Write] = {}
        for request in requests:
            standing = Standing(
                organization=organization,
                user=users.get(request.user_id),
                session=sessions[request.session_id],
            )
            outcome = release(standing, user_id=request.user_id, now=now, instance_id=request.instance_id)
            document = stored[paths.session(request.session_id)]
            if isinstance(outcome, Left) and document is not None:
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
        writes = [*left.values(), *ending_writes(endings, paths, self._retention)]
        return Decision(outcomes=outcomes, writes=writes, now=now)

    async def _who_takes_back(
        self,
        paths: OrganizationPaths,
        requests: Sequence[ReleaseRequest],
        sessions: Mapping[str, Session | Unusable | None],
        *,
        at: ReadTime,
    ) -> tuple[Organization | Unusable | None, Mapping[str, User | Unusable | None]]:
        """Read the organization, and the users who ask for a seat that is not theirs."""
        asking = {
            request.user_id
            for request in requests
            if isinstance(session := sessions[request.session_id], Session) and session.user_id != request.user_id
        }
        if not asking:
            return None, {}
        read = await self._firestore.read([paths.organization, *map(paths.user, asking)], at=at)
        users = {user_id: user_from(read.documents[paths.user(user_id)]) for user_id in asking}
        return organization_from(read.documents[paths.organization]), users
