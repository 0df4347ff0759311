"""Reports a session document that an admin deleted. What it held is read from the audit trail."""

from datetime import datetime
from functools import partial
from typing import Any

from shared.documents import queries
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import session_from
from shared.documents.writing import audit_event_write
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.query import Cursor
from shared.firestore.retry import retry_until
from shared.rules.audit import ENDS, AuditType, Tenure, TrailEntry, removed, tenure_without_end
from shared.rules.refusal import Unusable
from shared.rules.session import Session
from shared.seats.counters import repair_counters

PAGE = 200
"""Events of a session that are read at a time."""


class Removals:
    """Reports the sessions that an admin deleted."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy

    async def tell(self, paths: OrganizationPaths, session_id: str) -> None:
        """Report a deleted session that had not ended, and count the seats again from the sessions that are left.

        Nothing happens for a session that had ended, such as one that Firestore purged.

        Raises:
            Conflict: a document changed meanwhile.
            StoreUnavailable: Firestore did not answer.
        """
        path = paths.session(session_id)
        snapshot = await self._firestore.read([path])
        present = session_from(snapshot.documents[path])
        if isinstance(present, Unusable):
            return
        told = await self._latest_told(paths, session_id, at=snapshot.at)
        held_since = present.started_at if isinstance(present, Session) else None
        tenure = tenure_without_end(told, held_since=held_since)
        if tenure is None:
            return
        event = removed(tenure, now=snapshot.at.now)
        await self._firestore.commit([audit_event_write(event, paths, self._policy.retention)])
        # Retried here: a second call of this function finds the event reported, and would not repair the counters.
        repair = partial(repair_counters, self._firestore, paths, self._policy.retention)
        message = "the counters could not be repaired in time; the next run of reconcile does it"
        await retry_until(repair, within=self._policy.answer_within, otherwise=message)

    async def _latest_told(self, paths: OrganizationPaths, session_id: str, *, at: ReadTime) -> list[TrailEntry]:
        """The starts and ends of the session's latest tenures, latest first: at least one start, if there is one."""
        told: list[TrailEntry] = []
        after: Cursor | None = None
        while True:
            query = queries.tenures_of(session_id, limit=PAGE, after=after)
            events = await self._firestore.select(paths.organization, query, at=at)
            told += [each for event in events if (each := _told(event)) is not None]
            if len(events) < PAGE or any(each.type is AuditType.ACQUIRED for each in told):
                return told
            after = Cursor(path=events[-1].path, value=events[-1].fields["at"])


def _told(event: Document) -> TrailEntry | None:
    """Read the beginning or end of a tenure from an event; ``None`` for any other event, or one that cannot be read."""
    fields = event.fields
    kind, details = fields.get("type"), fields.get("details")
    if kind == AuditType.ACQUIRED:
        began: Any = fields.get("at")
    elif isinstance(kind, str) and kind in ENDS and isinstance(details, dict):
        began = details.get("started_at")
    else:
        return None
    names = [fields.get(name) for name in ("session_id", "license_id", "user_id", "hardware_id")]
    if not isinstance(began, datetime) or not all(isinstance(name, str) for name in names):
        return None
    session_id, license_id, user_id, hardware_id = map(str, names)
    pool = details.get("pool") if isinstance(details, dict) else None
    tenure = Tenure(
        session_id=session_id,
        license_id=license_id,
        user_id=user_id,
        hardware_id=hardware_id,
        started_at=began,
        pool=pool if isinstance(pool, str) else None,
    )
    return TrailEntry(type=AuditType(kind), tenure=tenure)
