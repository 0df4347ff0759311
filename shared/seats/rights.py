"""Sessions whose right is gone: the user, the license or the organization, deactivated, deleted or expired."""

import logging
from collections.abc import Sequence

from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import license_from, organization_from, session_from, user_from
from shared.firestore.client import Document, Firestore
from shared.rules.audit import SYSTEM
from shared.rules.reconcile import reconcile
from shared.rules.session import Session
from shared.seats.endings import Ending, ending_writes

logger = logging.getLogger(__name__)


class Rights:
    """Looks at the rights behind sessions."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        """Use the connection for every organization."""
        self._firestore = firestore
        self._policy = policy

    async def end_where_gone(self, paths: OrganizationPaths, found: Sequence[Document]) -> int:
        """End those of these sessions whose right is gone, as all of it is stored now, and say how many it ended.

        Raises:
            Conflict: one of them changed meanwhile; none was ended.
            StoreUnavailable: no answer; all of them were ended or none.
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
                logger.error("a session cannot be read, so it goes on counting", extra={"document": document.path})
                continue
            if session.license_id not in licenses or session.user_id not in users:
                continue  # edited by hand between the two reads: the next run knows it
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
