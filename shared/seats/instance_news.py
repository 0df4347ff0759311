"""News of instances: what the trail does not say yet of the programs that work on a session."""

from collections.abc import Iterable

from shared.documents.paths import OrganizationPaths
from shared.documents.writing import Retention, audit_event_write
from shared.firestore.client import Firestore, ReadTime
from shared.firestore.writes import Create
from shared.rules.audit import AuditEvent


async def news_writes(
    firestore: Firestore, paths: OrganizationPaths, events: Iterable[AuditEvent], retention: Retention, *, at: ReadTime
) -> list[Create]:
    """The writes of those events that the trail does not have. It costs one more read.

    An instance may come back to an address that was reported before. Its session changes in the same commit, so no
    other commit can report it in between.
    """
    by_name = {event.name: audit_event_write(event, paths, retention) for event in events}
    trail = (await firestore.read([write.path for write in by_name.values()], at=at)).documents
    return [write for write in by_name.values() if trail[write.path] is None]
