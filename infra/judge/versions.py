"""What the documents that admins edit held over time, by the noted edits, or by the trail and the current documents.

An edit applies to every decision that begins after it. A decision that already runs may use the old values. A decision
begins with its read at one instant, the event's ``at``. So what it used must have been in force at some moment between
that instant and the commit::

    cap       |--- 3 ----------|--- 5 -------
    decision       read ---------- commit         3 or 5
    decision                       read -- commit     5
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from infra.judge.history import AdminEdit, Event, History, Stored
from infra.judge.tenure import ALWAYS, NEVER
from shared.documents.forms import Form, LicenseDocument, OrganizationDocument, UserDocument
from shared.rules.audit import AuditType, EditKind

DocumentName = tuple[str, str]
"""The collection and the id of a document."""

UNKNOWN = object()

FORMS: Mapping[str, type[Form]] = {
    "organizations": OrganizationDocument,
    "licenses": LicenseDocument,
    "users": UserDocument,
}
_EDITED = {
    AuditType.ORGANIZATION_EDITED: "organizations",
    AuditType.LICENSE_EDITED: "licenses",
    AuditType.USER_EDITED: "users",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """What a document may have held in that time. ``is_known``: it certainly did, and nothing else.

    ``is_whole``: a field that is not here was missing. Otherwise nothing is known of it.
    """

    collection: str
    fields: Mapping[str, Any]
    since: datetime
    until: datetime
    is_whole: bool = True
    is_known: bool = False

    def value(self, field: str) -> Any:  # noqa: ANN401 any value that an admin may have written
        """The value of a field, its default if it was missing, or ``UNKNOWN``."""
        return self.fields.get(field, _default(self.collection, field) if self.is_whole else UNKNOWN)


class Versions:
    """The versions of all documents of a history."""

    def __init__(self, history: History) -> None:
        self.are_noted = history.edits is not None
        self._found = _noted(history.edits) if history.edits is not None else _told(history)

    def of(self, name: DocumentName) -> Sequence[Version]:
        return self._found.get(name, ())

    def used(
        self, name: DocumentName, *, read_at: datetime, until: datetime, earlier: timedelta = timedelta(0)
    ) -> Sequence[Version]:
        """The versions that a decision may have used; none if it may have used one that is not known.

        ``earlier`` is how long before ``read_at`` it may have read the document.
        """
        then = [each for each in self.of(name) if each.since <= until and each.until >= read_at - earlier]
        return then if any(each.since <= read_at for each in then) else ()


def _noted(edits: Sequence[AdminEdit]) -> dict[DocumentName, list[Version]]:
    """Follow the noted edits. If an edit's answer was lost, the old and the new fields are possible."""
    of_document: dict[DocumentName, list[AdminEdit]] = defaultdict(list)
    for edit in sorted(edits, key=lambda each: each.at):
        if edit.collection in FORMS:
            of_document[edit.collection, edit.document_id].append(edit)
    found: dict[DocumentName, list[Version]] = defaultdict(list)
    for name, several in of_document.items():
        possible: list[Mapping[str, Any]] = []
        for number, edit in enumerate(several):
            fields = edit.fields
            # A removed field is noted as null, which an organization's cap may be.
            after: list[Mapping[str, Any]] = []
            if fields is not None:
                after = [{**before, **fields} for before in possible or [{}]]
            possible = (
                after if edit.not_after is None else [*possible, *(each for each in after if each not in possible)]
            )
            until = several[number + 1].at if number + 1 < len(several) else NEVER
            found[name] += [
                Version(collection=edit.collection, fields=each, since=edit.at, until=until) for each in possible
            ]
    return found


def _told(history: History) -> dict[DocumentName, list[Version]]:
    """Follow the trail's edit events, up to the current documents."""
    events: dict[DocumentName, list[Event]] = defaultdict(list)
    for event in sorted(history.events, key=lambda each: each.at):
        collection = _EDITED.get(AuditType(event.type)) if event.type in set(AuditType) else None
        if collection is not None:
            own = {"organizations": history.organization_id, "licenses": event.license_id, "users": event.user_id}
            events[collection, own[collection] or ""].append(event)
    current: dict[DocumentName, Stored] = {}
    if history.present is not None:
        current = {("licenses", each.document_id): each for each in history.present.licenses}
        if history.present.organization is not None:
            current["organizations", history.organization_id] = history.present.organization
    return {name: _versions(name, events.get(name, ()), current.get(name)) for name in {*events, *current}}


def _versions(name: DocumentName, events: Sequence[Event], current: Stored | None) -> list[Version]:
    """An edit event shows only the latest write before the review, so the new fields may be as old as the event before.

    Since its last write the current document certainly has not changed.
    """
    collection = name[0]
    changes = [_changes(event, collection) for event in events]
    changed = {field for each in changes for field in each}
    fields = {} if current is None else {key: value for key, value in current.fields.items() if key not in changed}
    for each in reversed(changes):
        fields |= {field: before for field, (before, _) in each.items()}
    is_whole = current is not None or any(event.details.get("edit") == EditKind.CREATED for event in events[:1])
    found, looked_at = list[Version](), ALWAYS
    version = Version(collection=collection, fields=fields, since=ALWAYS, until=NEVER, is_whole=is_whole)
    for event, each in zip(events, changes, strict=True):
        after = {**version.fields, **{field: value for field, (_, value) in each.items()}}
        found += [replace(version, since=looked_at, until=event.at)]
        version = replace(version, fields=after, since=looked_at)
        found += [replace(version, until=event.at)]
        looked_at = event.at
    if events:
        found.append(replace(version, since=looked_at))
    if current is None:
        return found
    kept = [
        replace(each, until=min(each.until, current.updated_at)) for each in found if each.since < current.updated_at
    ]
    known = Version(collection=collection, fields=current.fields, since=current.updated_at, until=NEVER, is_known=True)
    return [*kept, known]


def _changes(event: Event, collection: str) -> dict[str, tuple[Any, Any]]:
    """What an edit event tells: the fields, each with its value before and after."""
    changes = event.details.get("changes")
    found = changes if isinstance(changes, list | tuple) else ()
    return {
        field: (_value(collection, field, change.get("before")), _value(collection, field, change.get("after")))
        for change in found
        if isinstance(change, dict) and isinstance(field := change.get("field"), str)
    }


def _value(collection: str, field: str, told: object) -> Any:  # noqa: ANN401 any value that an admin may have written
    if not isinstance(told, str):
        return _default(collection, field)
    try:
        return json.loads(told, object_hook=_time)
    except ValueError:  # a license key is shortened, so it is not JSON
        return told


def _time(value: dict[str, Any]) -> Any:  # noqa: ANN401 a time, or the map as it is
    if value.keys() != {"timestamp"}:
        return value
    try:
        return datetime.fromisoformat(value["timestamp"])
    except (TypeError, ValueError):
        return value


def _default(collection: str, field: str) -> Any:  # noqa: ANN401 the default of any field
    known = FORMS[collection].model_fields.get(field)
    return None if known is None or known.is_required() else known.get_default(call_default_factory=True)
