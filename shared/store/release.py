"""Release in the store: two round trips for a group."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from shared.rules.audit import SYSTEM
from shared.rules.release import Released, ReleaseOutcome, Standing, release
from shared.rules.session import EndReason
from shared.store.documents import organization_from, session_from, user_from
from shared.store.encoding import Retention
from shared.store.endings import Ending, ending_writes
from shared.store.firestore import Firestore
from shared.store.groups import Answered, Decision, GroupCommit, Groups
from shared.store.paths import OrganizationPaths
from shared.store.policy import Policy


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseRequest:
    """The caller gives back a seat: the own one, or as an owner or admin anyone's."""

    user_id: str
    session_id: str


class Releases:
    """The releases of one function instance, over all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        """Use the connection for every organization."""
        self._firestore = firestore
        self._retention: Retention = policy.retention
        self._groups = Groups[ReleaseRequest, ReleaseOutcome](
            lambda organization_id, pace: GroupCommit(
                decide=partial(self._decide, OrganizationPaths(organization_id)),
                commit=firestore.commit,
                answer_within=policy.answer_within,
                pace=pace,
            ),
        )

    async def release(self, organization_id: str, request: ReleaseRequest) -> Answered[ReleaseOutcome]:
        """End the session. Asking again is safe.

        Raises:
            Contended: others changed the session until the deadline.
            StoreUnavailable: Firestore did not answer until the deadline.
        """
        return await self._groups.submit(organization_id, request)

    async def _decide(self, paths: OrganizationPaths, requests: Sequence[ReleaseRequest]) -> Decision[ReleaseOutcome]:
        users = [paths.user(request.user_id) for request in requests]
        snapshot = await self._firestore.read(
            [paths.organization, *users, *(paths.session(request.session_id) for request in requests)]
        )
        stored, now = snapshot.documents, snapshot.at.now
        organization = organization_from(stored[paths.organization])
        sessions = {request.session_id: session_from(stored[paths.session(request.session_id)]) for request in requests}
        outcomes: list[ReleaseOutcome] = []
        endings: list[Ending] = []
        for request in requests:
            standing = Standing(
                organization=organization,
                user=user_from(stored[paths.user(request.user_id)]),
                session=sessions[request.session_id],
            )
            outcome = release(standing, user_id=request.user_id, now=now)
            document = stored[paths.session(request.session_id)]
            if isinstance(outcome, Released) and document is not None:
                sessions[request.session_id] = outcome.session
                lapsed = outcome.session.end_reason is EndReason.EXPIRED
                actor = SYSTEM if lapsed else request.user_id
                endings.append(Ending(session=outcome.session, document=document, actor=actor))
            outcomes.append(outcome)
        return Decision(outcomes=outcomes, writes=ending_writes(endings, paths, self._retention), now=now)
