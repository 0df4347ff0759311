"""Small changes of a history, to sow faults with."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from infra.judge.history import Event, History, Stored
from shared.documents.paths import OrganizationPaths
from shared.rules.audit import ENDS, AuditType
from shared.rules.seat_use import SeatUse
from tests.support.tenant import LICENSE_ID

TICK = timedelta(microseconds=1)


def trail(history: History) -> History:
    """Only the trail and the documents: what was published or answered would show the same fault once more."""
    return replace(history, messages=None, requests=None)


def starts(history: History, user_id: str, license_id: str = LICENSE_ID) -> list[Event]:
    """The grants to a user, the first first."""
    return _of(history, user_id, license_id, {AuditType.ACQUIRED})


def ends(history: History, user_id: str, license_id: str = LICENSE_ID) -> list[Event]:
    """The ends of a user's tenures."""
    return _of(history, user_id, license_id, set(ENDS))


def only(history: History, kind: AuditType) -> Event:
    """The one event of this type."""
    (event,) = (event for event in history.events if event.type == kind)
    return event


def changed(history: History, event: Event, **fields: Any) -> History:  # noqa: ANN401 the fields of an event
    """Change one event."""
    events = tuple(replace(each, **fields) if each.event_id == event.event_id else each for each in history.events)
    return replace(history, events=events)


def with_details(history: History, event: Event, **details: Any) -> History:  # noqa: ANN401 what an event tells
    """Change what one event tells."""
    return changed(history, event, details={**event.details, **details})


def with_events(history: History, *events: Event) -> History:
    """Add events."""
    return replace(history, events=(*history.events, *events))


def without(history: History, *events: Event) -> History:
    """Leave events out."""
    gone = {event.event_id for event in events}
    return replace(history, events=tuple(event for event in history.events if event.event_id not in gone))


def committed(event: Event) -> datetime:
    """When an event was committed."""
    assert event.committed_at is not None
    return event.committed_at


def with_edit(history: History, collection: str, document_id: str, **fields: Any) -> History:  # noqa: ANN401 as above
    """Change what an admin wrote first into a document."""
    edits = list(history.edits or ())
    number = next(n for n, each in enumerate(edits) if (each.collection, each.document_id) == (collection, document_id))
    edits[number] = replace(edits[number], fields={**(edits[number].fields or {}), **fields})
    return replace(history, edits=tuple(edits))


def with_sessions(history: History, change: Callable[[list[Stored]], list[Stored]], *, grants: int = 0) -> History:
    """Change the sessions as they are, and the counters with them, so that these two agree; add grants to those."""
    assert history.present is not None
    assert history.present.seats is not None
    sessions = change(list(history.present.sessions))
    held = Counter(each.fields["license_id"] for each in sessions if each.fields["ended_at"] is None)
    before = history.present.seats.fields
    use = SeatUse(by_license=held, grants=before["grants"] + grants, epoch=before["epoch"])
    fields = {**before, "total": use.total, "by_license": dict(held), "grants": use.grants, "checksum": use.checksum}
    seats = replace(history.present.seats, fields=fields)
    return replace(history, present=replace(history.present, sessions=tuple(sessions), seats=seats))


def _of(history: History, user_id: str, license_id: str, kinds: set[AuditType]) -> list[Event]:
    found = [
        event
        for event in history.events
        if event.type in kinds and event.user_id == user_id and event.license_id == license_id
    ]
    return sorted(found, key=committed)


def named(event: Event, history: History, name: str) -> Event:
    """Give an event the id that goes with its name."""
    path = OrganizationPaths(history.organization_id).audit_event(name)
    return replace(event, event_id=path.rpartition("/")[2])
