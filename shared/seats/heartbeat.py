"""Heartbeats in groups: two round trips for a group, or one if no lease needs to change."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cachetools import LRUCache

from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import FIELDS_OF_A_TENURE, license_from, organization_from, session_from, user_from
from shared.documents.writing import lease_write
from shared.firestore.client import Document, Firestore, Snapshot
from shared.firestore.errors import StoreError
from shared.firestore.group_commit import Answered, Decision, GroupedOperation
from shared.firestore.writes import Write
from shared.rules.audit import SYSTEM, AuditEvent, renewed
from shared.rules.heartbeat import Changing, Extended, HeartbeatOutcome, Standing, Stopped, heartbeat
from shared.rules.refusal import Unusable
from shared.rules.session import Session, SessionOver
from shared.seats.counters import repair_writes
from shared.seats.endings import Ending, by_hand_writes, ending_writes
from shared.seats.instance_news import news_writes

logger = logging.getLogger(__name__)

REPORT_WITHIN_SECONDS = 1
"""How long the answer to a client waits for the report that an admin ended its session by hand."""

MAX_REMEMBERED = 100_000
"""The most sessions whose license one instance remembers. A forgotten one costs one more round trip."""

# The fields of organization, user, license and session that a decision and its report need.
NEEDED_FIELDS = (
    "is_active",
    "max_concurrent_seats",
    "role",
    "license_key",
    "expires_at",
    "lease_seconds",
    "grace_seconds",
    "max_instances_per_seat",
    "features",
    "idle_seconds",
    *FIELDS_OF_A_TENURE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class HeartbeatRequest:
    """A caller's request to keep the seat of this session, and the program that sent it."""

    user_id: str
    session_id: str
    instance_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    idle_for: timedelta | None = None


class Heartbeats(GroupedOperation[HeartbeatRequest, HeartbeatOutcome]):
    """The heartbeats of one function instance, for all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._policy = policy
        # A session's id is computed from its license's, so an entry never becomes wrong.
        self._license_of: LRUCache[str, str] = LRUCache(MAX_REMEMBERED)
        super().__init__(firestore, answer_within=policy.answer_within)

    async def heartbeat(self, organization_id: str, request: HeartbeatRequest) -> Answered[HeartbeatOutcome]:
        """Keep the session's seat, or end the session if the user lost the right to it. Asking again is safe.

        Raises:
            Contended: other requests changed the session until the deadline.
            StoreUnavailable: Firestore did not answer until the deadline.
        """
        answered = await self._submit(organization_id, request)
        if isinstance(answered.outcome, SessionOver) and answered.outcome.reason is None:
            await self._report_end_by_hand(OrganizationPaths(organization_id), request.session_id)
        return answered

    async def _report_end_by_hand(self, paths: OrganizationPaths, session_id: str) -> None:
        """Report the end, and put the counters right, which do not know of it.

        It is tried once, and not in the commit of a group, which must not wait for the counters: ``reconcile`` reports
        what is left.
        """
        try:
            async with asyncio.timeout(REPORT_WITHIN_SECONDS):
                snapshot = await self._firestore.read([paths.session(session_id), paths.seats])
                session, counters = (snapshot.documents[path] for path in (paths.session(session_id), paths.seats))
                found = [] if session is None else [session]
                retention = self._policy.retention
                if reports := await by_hand_writes(self._firestore, paths, found, retention, at=snapshot.at):
                    repairs = await repair_writes(self._firestore, paths, counters, retention, at=snapshot.at)
                    await self._firestore.commit([*reports, *repairs])
        except (StoreError, TimeoutError):
            logger.info("an end by hand is left to reconcile", extra={"session_id": session_id})

    async def _decide(self, organization_id: str, requests: Sequence[HeartbeatRequest]) -> Decision[HeartbeatOutcome]:
        paths = OrganizationPaths(organization_id)
        snapshot, sessions, licenses = await self._read(paths, requests)
        stored, now = snapshot.documents, snapshot.at.now
        organization = organization_from(stored[paths.organization])
        parsed = {license_id: license_from(document, self._policy) for license_id, document in licenses.items()}
        outcomes: list[HeartbeatOutcome] = []
        news: list[AuditEvent] = []
        for request in requests:
            session = sessions[request.session_id]
            standing = Standing(
                organization=organization,
                user=user_from(stored[paths.user(request.user_id)]),
                license=parsed.get(session.license_id) if isinstance(session, Session) else None,
                session=session,
            )
            outcome = heartbeat(
                standing,
                user_id=request.user_id,
                now=now,
                instance_id=request.instance_id,
                ip_address=request.ip_address,
                idle_for=request.idle_for,
            )
            if isinstance(outcome, Changing):
                sessions[request.session_id] = outcome.session
            if isinstance(outcome, Extended) and outcome.news is not None:
                news.append(renewed(outcome.session, outcome.news, user_agent=request.user_agent))
            outcomes.append(outcome)
        writes = self._writes(paths, outcomes, stored)
        if news:
            writes += await news_writes(self._firestore, paths, news, self._policy.retention, at=snapshot.at)
        return Decision(outcomes=outcomes, writes=writes, now=now)

    async def _read(
        self, paths: OrganizationPaths, requests: Sequence[HeartbeatRequest]
    ) -> tuple[Snapshot, dict[str, Session | Unusable | None], Mapping[str, Document | None]]:
        """Read the documents that the decisions need, the sessions among them, and their licenses.

        If this instance remembers the license of a session, both are read in one round trip.
        """
        remembered = (self._license_of.get(request.session_id) for request in requests)
        known = {license_id for license_id in remembered if license_id is not None}
        snapshot = await self._firestore.read(
            [
                paths.organization,
                *(paths.license(license_id) for license_id in known),
                *(paths.user(request.user_id) for request in requests),
                *(paths.session(request.session_id) for request in requests),
            ],
            only_fields=NEEDED_FIELDS,
        )
        sessions = {
            request.session_id: session_from(snapshot.documents[paths.session(request.session_id)])
            for request in requests
        }
        found = {key: session.license_id for key, session in sessions.items() if isinstance(session, Session)}
        self._license_of.update(found)
        needed = set(found.values())
        licenses = {license_id: snapshot.documents[paths.license(license_id)] for license_id in known}
        if missing := needed - known:
            more = await self._firestore.read(
                [paths.license(license_id) for license_id in missing], at=snapshot.at, only_fields=NEEDED_FIELDS
            )
            licenses |= {license_id: more.documents[paths.license(license_id)] for license_id in missing}
        return snapshot, sessions, licenses

    def _writes(
        self,
        paths: OrganizationPaths,
        outcomes: Sequence[HeartbeatOutcome],
        stored: Mapping[str, Document | None],
    ) -> list[Write]:
        kept: dict[str, Write] = {}  # several instances of a session may be in one group
        endings: list[Ending] = []
        for outcome in outcomes:
            if not isinstance(outcome, Changing):
                continue
            path = paths.session(outcome.session.session_id)
            document = stored[path]
            if document is None:
                message = f"the session was not read, so it cannot be changed: {path}"
                raise AssertionError(message)
            if isinstance(outcome, Stopped):
                kept.pop(path, None)
                endings.append(Ending(session=outcome.session, document=document, actor=SYSTEM))
            else:
                kept[path] = lease_write(document, outcome.session)
        return [*kept.values(), *ending_writes(endings, paths, self._policy.retention)]
