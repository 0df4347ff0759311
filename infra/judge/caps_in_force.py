"""Every decision about a seat used the caps in force.

An edit applies to every decision that begins after it. A decision that already runs may use the old value. A decision
begins with its read at one instant, the event's ``at``. So the cap that an event names must have been in force at some
moment between that instant and the commit::

    cap       |--- 3 ----------|--- 5 -------
    decision       read ---------- commit         names 3 or 5
    decision                       read -- commit     names 5
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.judge.history import Event, History
from infra.judge.tenure import ALWAYS, NEVER
from infra.judge.violation import Kind, Violation
from shared.documents.forms import LicenseDocument, OrganizationDocument
from shared.rules.audit import AuditType

FIELD = "max_concurrent_seats"

Capped = tuple[str, str]
"""The collection and the id of the document with the cap."""

_KINDS = {AuditType.ORGANIZATION_EDITED: "organizations", AuditType.LICENSE_EDITED: "licenses"}
_DEFAULTS = {
    "organizations": OrganizationDocument.model_fields[FIELD].default,
    "licenses": LicenseDocument.model_fields[FIELD].default,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class InForce:
    """A cap that may have been in force in that time. ``is_known``: it certainly was, and no other."""

    cap: Any
    since: datetime
    until: datetime
    is_known: bool = False


def violations(history: History) -> Iterator[Violation]:
    """Check the two caps that each grant and each denial names."""
    caps = _noted(history) if history.edits is not None else _told(history)
    for event in history.events:
        if event.type not in {AuditType.ACQUIRED, AuditType.DENIED}:
            continue
        last = event.details.get("last_attempt_at")
        read_at = last if isinstance(last, datetime) else event.at
        until = max(read_at, event.committed_at or read_at)
        for name, document in (
            ("seats", ("licenses", event.license_id or "")),
            ("organization_seats", ("organizations", history.organization_id)),
        ):
            seats = event.details.get(name)
            if not isinstance(seats, dict):
                continue
            then = [each for each in caps.get(document, ()) if each.since <= until and each.until >= read_at]
            cap = seats.get("max")
            # The value before the first known one is unknown, and the read may have seen it.
            if not any(each.since <= read_at for each in then) or any(each.cap == cap for each in then):
                continue
            is_certain = history.edits is not None or all(each.is_known for each in then)
            # The trail has only the sum of several edits in quick succession, so a cap that it never names may have
            # been in force. A cap that it names, but at another time, shows a decision under an old value.
            if is_certain or any(each.cap == cap for each in caps[document]):
                yield Violation(
                    kind=Kind.CAP_NOT_IN_FORCE,
                    organization_id=history.organization_id,
                    at=read_at,
                    message=f"{event.type} used the cap {cap} of {'/'.join(document)}, but "
                    f"{', '.join(str(each.cap) for each in then)} was in force",
                    events=(event,),
                    is_certain=is_certain,
                )


def _noted(history: History) -> dict[Capped, list[InForce]]:
    """Take the caps from the noted edits. If an edit's answer was lost, the old and the new cap are possible."""
    edits: dict[Capped, list[tuple[datetime, Any, bool]]] = defaultdict(list)
    for edit in sorted(history.edits or (), key=lambda each: each.at):
        key = (edit.collection, edit.document_id)
        if edit.collection in _DEFAULTS and edit.fields is not None and (FIELD in edit.fields or key not in edits):
            # A new document may lack the field. A removed field counts as missing too, but is noted as null, which an
            # organization may have.
            cap = edit.fields.get(FIELD, _DEFAULTS[edit.collection])
            edits[key].append((edit.at, cap, edit.not_after is None))
    caps: dict[Capped, list[InForce]] = defaultdict(list)
    for key, found in edits.items():
        for number, (since, cap, _) in enumerate(found):
            until = next((at for at, _, is_sure in found[number + 1 :] if is_sure), NEVER)
            caps[key].append(InForce(cap=cap, since=since, until=until))
    return caps


def _told(history: History) -> dict[Capped, list[InForce]]:
    """Take the caps from the trail's edit events and from the current documents.

    An edit event shows only the latest write before the review, so the cap may be as old as the edit before.
    """
    changes: dict[Capped, list[tuple[datetime, Any, Any]]] = defaultdict(list)
    for event in sorted(history.events, key=lambda each: each.at):
        if (collection := _KINDS.get(AuditType(event.type)) if event.type in set(AuditType) else None) is None:
            continue
        document_id = history.organization_id if collection == "organizations" else event.license_id or ""
        for change in _changes(event):
            before, after = (_value(change.get(side), collection) for side in ("before", "after"))
            changes[collection, document_id].append((event.at, before, after))
    caps: dict[Capped, list[InForce]] = defaultdict(list)
    for key, found in changes.items():
        looked_at = ALWAYS
        for at, before, after in found:
            caps[key] += [InForce(cap=before, since=looked_at, until=at), InForce(cap=after, since=looked_at, until=at)]
            looked_at = at
        caps[key].append(InForce(cap=found[-1][2], since=looked_at, until=NEVER))
    if history.present is not None:
        documents = [("licenses", each) for each in history.present.licenses]
        documents += [("organizations", each) for each in (history.present.organization,) if each is not None]
        for collection, document in documents:
            # Since its last write the document certainly has not changed.
            key = (collection, document.document_id)
            kept = [replaced for each in caps[key] if (replaced := _until(each, document.updated_at)) is not None]
            cap = document.fields.get(FIELD, _DEFAULTS[collection])
            caps[key] = [*kept, InForce(cap=cap, since=document.updated_at, until=NEVER, is_known=True)]
    return caps


def _until(known: InForce, end: datetime) -> InForce | None:
    return InForce(cap=known.cap, since=known.since, until=min(known.until, end)) if known.since < end else None


def _changes(event: Event) -> Sequence[Any]:
    changes = event.details.get("changes")
    found = changes if isinstance(changes, list | tuple) else ()
    return [change for change in found if isinstance(change, dict) and change.get("field") == FIELD]


def _value(told: Any, collection: str) -> Any:  # noqa: ANN401 any JSON value that an admin may have written
    return _DEFAULTS[collection] if not isinstance(told, str) else json.loads(told)
