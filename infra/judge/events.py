"""Each event exists once, has the id that follows from its content, and can be read by a subscriber.

The id prevents duplicates: two writers of the same fact create the same document, and one of them fails.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields as fields_of
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from infra.judge.history import Event, History
from infra.judge.tenure import NUMBERED, started_at_of
from infra.judge.violation import Kind, Violation
from shared.audit.message import AUDIT_MESSAGE, SCHEMA_VERSION
from shared.documents.paths import OrganizationPaths
from shared.rules.audit import CONSOLE, ENDS, ERASED, AuditType, grant_name, renewed_name
from shared.rules.denial import denial_name
from shared.rules.digest import digest
from shared.rules.sign_in import signed_in_name

_FIELDS = tuple(field.name for field in fields_of(Event))


_REPORTS = {
    *(AuditType.LICENSE_EXPIRING, AuditType.USAGE_REPAIRED),
    *(AuditType.USER_INVITED, AuditType.USER_JOINED, AuditType.SIGNED_IN_ON_DEVICE, AuditType.BELONGS_ELSEWHERE),
}


def violations(history: History) -> Iterator[Violation]:
    """Check each event by itself."""
    times = Counter(event.event_id for event in history.events)
    grants = Counter(event.grant_number for event in history.events)
    for event in history.events:
        kind = message = None
        if times[event.event_id] > 1:
            kind, message = Kind.EVENT_TWICE, f"{times[event.event_id]} events have the id {event.event_id}"
        elif published_form(event, history.organization_id) is None:
            kind, message = Kind.EVENT_UNREADABLE, f"{event.event_id} has invalid fields and cannot be published"
        elif event.grant_number is not None and grants[event.grant_number] > 1:
            continue  # one of them has a wrong id, and ``grants`` reports it
        elif (names := _ids(event, history.organization_id)) and event.event_id not in names:
            kind, message = Kind.EVENT_MISNAMED, f"{event.event_id} should have the id {' or '.join(sorted(names))}"
        if kind is not None and message is not None:
            yield Violation(
                kind=kind, organization_id=history.organization_id, at=event.at, message=message, events=(event,)
            )


def published_form(event: Event, organization_id: str) -> Mapping[str, Any] | None:
    """The published form of an event; ``None`` if it has invalid fields."""
    # Not dataclasses.asdict, which copies every value deeply and took half of the judge's time.
    fields: dict[str, Any] = {name: getattr(event, name) for name in _FIELDS}
    fields |= {"schema_version": SCHEMA_VERSION, "organization_id": organization_id}
    try:
        published: Mapping[str, Any] = AUDIT_MESSAGE.validate_python(fields).model_dump(mode="json")
    except ValidationError:
        return None
    return published


def _ids(event: Event, organization_id: str) -> set[str]:
    """The possible ids of the event."""
    if event.user_id == ERASED and event.type not in {*NUMBERED, *ENDS}:
        return set()  # its name is made from what was blanked
    paths = OrganizationPaths(organization_id)
    return {paths.audit_event(name).rpartition("/")[2] for name in _names(event)}


def _names(event: Event) -> set[str]:
    """The possible names of the event; none if the event lacks the data."""
    session_id, started_at = event.session_id or "", started_at_of(event)
    if event.type in NUMBERED:
        return {grant_name(event.grant_number or 0, epoch=event.epoch)}
    if event.type == AuditType.DENIED:
        return {denial_name(user_id=event.user_id or "", license_id=event.license_id or "", now=event.at)}
    if event.type == AuditType.RENEWED and started_at is not None:
        at = {name: event.details.get(name) for name in ("instance_id", "ip_address")}
        return {renewed_name(session_id, started_at, **at)}
    if event.type in _REPORTS:
        return {_reported_name(event)}
    if event.type in ENDS and started_at is not None:
        names = {digest("session.ended", session_id, _text(started_at), _text(event.at))}
        return names | ({digest("session.removed", session_id, _text(started_at))} if event.actor == CONSOLE else set())
    return _names_of_place(event) if event.type in {AuditType.QUEUED, AuditType.GAVE_UP} else set()


def _names_of_place(event: Event) -> set[str]:
    since = event.details.get("since")
    if not isinstance(since, datetime):
        return set()
    ended = [] if event.type == AuditType.QUEUED else [_text(event.at)]
    return {digest(event.type, event.session_id or "", _text(since), *ended)}


def _reported_name(event: Event) -> str:
    """The name of a report that is about no seat."""
    if event.type in {AuditType.USER_JOINED, AuditType.BELONGS_ELSEWHERE}:
        return digest(event.type, event.user_id or "", _text(event.at))
    invitation_id, edit = (str(event.details.get(name)) for name in ("invitation_id", "edit"))
    if event.type == AuditType.USER_INVITED:
        return digest(event.type, invitation_id, edit, _text(event.at))
    if event.type == AuditType.SIGNED_IN_ON_DEVICE:
        return signed_in_name(event.user_id or "", at=event.at)
    if event.type == AuditType.USAGE_REPAIRED:
        return digest(event.type, event.at.isoformat())
    ends_at, days_before = event.details.get("expires_at"), event.details.get("days_before")
    end = _text(ends_at) if isinstance(ends_at, datetime) else ""
    return digest(event.type, event.license_id or "", end, str(days_before))


def _text(time: datetime) -> str:
    return time.isoformat()
