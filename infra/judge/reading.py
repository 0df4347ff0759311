"""Read a history from Firestore: the trail and the documents of one organization, all at one instant."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from infra.judge.history import Event, History, Present, Stored
from infra.judge.soundness import only, sound_details
from infra.judge.tenure import ALWAYS
from shared.documents.paths import OrganizationPaths
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.query import Cursor, Query
from shared.firestore.values import decode_time

PAGE = 1_000


async def read_history(
    firestore: Firestore, organization_id: str, *, since: datetime | None = None, imported_at: datetime | None = None
) -> History:
    """Read everything that the judge needs. Writes nothing.

    Costs one read per document: the organization, its licenses, sessions, counters, places in the line, days of the
    history and audit events. With ``since``
    only later events are read. Without it the trail is judged from the time since which no event can have been purged.
    ``imported_at``: documents created until then came from an export, so their commit times are not known.

    Raises:
        StoreUnavailable: Firestore did not answer.
    """
    paths, at = OrganizationPaths(organization_id), await firestore.now()
    own = (await firestore.read([paths.organization, paths.seats], at=at)).documents
    organization, seats = own[paths.organization], own[paths.seats]
    documents = await _all(firestore, paths, "audit_events", at, since=since)
    events = tuple(event_from(document, imported_at=imported_at) for document in documents)
    if since is None and organization is not None:
        since = _purged_until(events, created_at=decode_time(organization.create_time), read_at=at.now)
    present = Present(
        read_at=at.now,
        organization=None if organization is None else _stored(organization),
        licenses=tuple(map(_stored, await _all(firestore, paths, "licenses", at))),
        sessions=tuple(map(_stored, await _all(firestore, paths, "sessions", at))),
        seats=None if seats is None else _stored(seats),
        places=tuple(map(_stored, await _all(firestore, paths, "waiting", at))),
        usage_days=tuple(map(_stored, await _all(firestore, paths, "usage_days", at))),
    )
    return History(
        organization_id=organization_id,
        events=events,
        present=present,
        begins_at=since,
    )


def event_from(document: Document, *, imported_at: datetime | None = None) -> Event:
    """Make an event from its document."""
    fields: Mapping[str, Any] = document.fields
    committed_at = decode_time(document.create_time)
    at = fields.get("at")
    return Event(
        event_id=document.document_id,
        # An admin may have edited the event. Without a time, the creation of its document is the best guess.
        type=str(fields.get("type")),
        at=at if isinstance(at, datetime) else committed_at,
        actor=str(fields.get("actor")),
        license_id=only(str, fields.get("license_id")),
        session_id=only(str, fields.get("session_id")),
        user_id=only(str, fields.get("user_id")),
        hardware_id=only(str, fields.get("hardware_id")),
        grant_number=only(int, fields.get("grant_number")),
        epoch=only(str, fields.get("epoch")),
        details=sound_details(fields.get("details")),
        committed_at=None if imported_at is not None and committed_at <= imported_at else committed_at,
        published_at=only(datetime, fields.get("published_at")),
        purge_at=only(datetime, fields.get("purge_at")),
    )


def documents_read(history: History) -> int:
    """The number of documents that were read."""
    present = history.present
    if present is None:
        return len(history.events)
    own = sum(document is not None for document in (present.organization, present.seats))
    kept = (present.licenses, present.sessions, present.places, present.usage_days)
    return own + sum(map(len, kept)) + len(history.events)


def _purged_until(events: Sequence[Event], *, created_at: datetime, read_at: datetime) -> datetime | None:
    """The time until which events may have been purged; ``None`` if none can have been purged.

    Most events are kept equally long, so a ``purge_at`` that an admin edited must not hide the others from the judge.
    """
    spans = Counter(event.purge_at - event.at for event in events if event.purge_at is not None)
    written = [span for span, times in spans.items() if times > 1] or spans
    kept_for = min((span for span in written if span >= timedelta(0)), default=None)
    purged_until = None if kept_for is None or kept_for > read_at - ALWAYS else read_at - kept_for
    return purged_until if purged_until is not None and created_at <= purged_until else None


async def _all(
    firestore: Firestore, paths: OrganizationPaths, collection: str, at: ReadTime, *, since: datetime | None = None
) -> Sequence[Document]:
    """Read a collection page by page."""
    found: list[Document] = []
    cursor = None
    while True:
        query = Query(
            collection=collection,
            where=() if since is None else (("at", ">", since),),
            order_by=None if since is None else "at",
            limit=PAGE,
            after=cursor,
        )
        page = await firestore.select(paths.organization, query, at=at)
        found += page
        if len(page) < PAGE:
            return found
        last = page[-1]
        cursor = Cursor(path=last.path, value=None if since is None else last.fields.get("at"))


def _stored(document: Document) -> Stored:
    return Stored(
        document_id=document.document_id,
        fields=document.fields,
        created_at=decode_time(document.create_time),
        updated_at=decode_time(document.update_time),
    )
