"""The writes that end a session, and the check for sessions whose user has lost the right to a seat."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import license_from, organization_from, session_from, user_from
from shared.documents.writing import Retention, audit_event_write, end_write, seat_use_change
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.writes import Create, Update, Write
from shared.rules.audit import SYSTEM, ended_by_hand
from shared.rules.audit import ended as audit_ended
from shared.rules.expire import reconcile
from shared.rules.seat_use import Pool
from shared.rules.session import Session, is_ended_by_hand, pool_change, revoked_by_hand

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """A session after its end, the document it was read from, and the actor that ended it.

    ``kept_out_until`` is until when the actor keeps the session's user out.
    """

    session: Session
    document: Document
    actor: str
    kept_out_until: datetime | None = None


def ending_writes(endings: Iterable[Ending], paths: OrganizationPaths, retention: Retention) -> list[Write]:
    """The writes that end sessions: each session, its audit event, and one change of the counters for all."""
    writes: list[Write] = []
    freed: Counter[str] = Counter()
    pools: Counter[Pool] = Counter()
    for ending in endings:
        writes.append(end_write(ending.document, ending.session, retention))
        event = audit_ended(ending.session, actor=ending.actor, kept_out_until=ending.kept_out_until)
        writes.append(audit_event_write(event, paths, retention))
        freed[ending.session.license_id] -= 1
        pools.update(pool_change(ending.session, -1))
    if freed:
        # Without a precondition: if an admin deleted the counters, they become negative, and no acquire trusts them.
        writes.append(seat_use_change(paths, freed, granted=0, pools=pools))
    return writes


async def by_hand_writes(
    firestore: Firestore, paths: OrganizationPaths, found: Iterable[Document], retention: Retention, *, at: ReadTime
) -> list[Create | Update]:
    """The writes that report the sessions among these that an admin ended in the console: a reason, and an event.

    The trail may have the event already: an end looks the same if an admin removed its reason. The counters never knew
    of such an end. They are compared with the sessions.
    """
    ends: list[Create | Update] = []
    events: list[Create] = []
    for document in found:
        session = session_from(document)
        if isinstance(session, Session) and is_ended_by_hand(session):
            ends.append(end_write(document, revoked_by_hand(session, now=at.now), retention))
            events.append(audit_event_write(ended_by_hand(session, now=at.now), paths, retention))
    if not events:
        return []
    trail = (await firestore.read([event.path for event in events], at=at)).documents
    return ends + [event for event in events if trail[event.path] is None]


class Rights:
    """Checks whether users still have the right to their sessions."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy

    async def end_revoked(self, paths: OrganizationPaths, found: Sequence[Document]) -> int:
        """Read these sessions and their rights again, and end those without a right. Returns how many it ended.

        Raises:
            Conflict: a session changed meanwhile. None was ended.
            StoreUnavailable: Firestore did not answer. Either all of them were ended or none.
        """
        open_ = [session for document in found if isinstance(session := session_from(document), Session)]
        licenses = {session.license_id for session in open_}
        users = {session.user_id for session in open_}
        snapshot = await self._firestore.read(
            [
                paths.organization,
                *(paths.license(license_id) for license_id in licenses),
                *(paths.user(user_id) for user_id in users),
                *(document.path for document in found),
            ]
        )
        stored, now = snapshot.documents, snapshot.at.now
        organization = organization_from(stored[paths.organization])
        parsed = {license_id: license_from(stored[paths.license(license_id)], self._policy) for license_id in licenses}
        endings = []
        for document in filter(None, (stored[each.path] for each in found)):
            session = session_from(document)
            if not isinstance(session, Session):
                message = "a session cannot be read, so it keeps its seat; correct or delete its document"
                logger.error(message, extra={"document": document.path})
                continue
            if session.license_id not in licenses or session.user_id not in users:
                continue  # edited by hand between the two reads; the next run checks it
            ending = reconcile(
                session,
                organization=organization,
                user=user_from(stored[paths.user(session.user_id)]),
                license_=parsed[session.license_id],
                now=now,
            )
            if ending is not None:
                endings.append(Ending(session=ending, document=document, actor=SYSTEM))
        if endings:
            await self._firestore.commit(ending_writes(endings, paths, self._policy.retention))
        return len(endings)
