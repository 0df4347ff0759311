"""The review record of a document: its fields as they were last seen.

An event of Firestore says that a document was written. It may come twice or late, and does not say who wrote. With the
record a review tells an admin's edit from our own writes, and knows the values before the edit. The record, the changes
of the document and the audit event are written in one commit. So an edit is reported once, and our own write never.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from shared.documents.forms import Form, StoredTime
from shared.documents.paths import OrganizationPaths
from shared.documents.remembering import remembered
from shared.documents.writing import REPORTED, Retention, audit_event_write, document_write
from shared.firestore.client import Document
from shared.firestore.values import Plain, decode_time
from shared.firestore.writes import Delete, Write
from shared.rules.audit import AuditType, edited
from shared.rules.review import Level, Problem

PROBLEMS, CREATED_AT, UPDATED_AT = "problems", "created_at", "updated_at"
BOOKKEEPING = (CREATED_AT, UPDATED_AT, PROBLEMS)
"""Fields that the functions write into documents that admins edit. They are never reported as misspelt."""

OURS = frozenset({PROBLEMS, UPDATED_AT})
"""Fields that the functions write for the admin. A change of them is no edit."""

MAX_PROBLEMS = 20
_MAX_FIELDS = 200


class _RememberedTime(BaseModel):
    timestamp: StoredTime


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewTarget:
    """A document under review: its place, its form, and the type of audit event that reports an edit of it."""

    paths: OrganizationPaths
    collection: str
    document_id: str
    edit: AuditType
    form: type[Form]
    path: str

    @property
    def record_path(self) -> str:
        return self.paths.review(self.collection, self.document_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewState:
    """The document as it is now, and its record. ``before`` holds the fields last seen, in JSON; ``None`` if none.

    ``reported`` holds the fields after the latest change that a person made through a function, which reported it.
    """

    subject: ReviewTarget
    document: Document | None
    record: Document | None
    before: Mapping[str, str] | None
    reported: Mapping[str, str] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is new: the last write of the document was ours."""
        if self.document is None:
            return self.told_before is None
        told_problems = None if self.record is None else self.record.fields.get(PROBLEMS)
        is_new = self.is_edit or self.reported is not None
        return not is_new and self.document.fields.get(PROBLEMS) == told_problems

    @property
    def is_edit(self) -> bool:
        """Whether a person changed something since it was last seen."""
        return self.before != (None if self.document is None else self.told(self.document.fields))

    @property
    def told_before(self) -> Mapping[str, str] | None:
        """The fields as the audit trail has them."""
        return self.before if self.reported is None else self.reported

    @property
    def is_by_hand(self) -> bool:
        """Whether an admin changed something that the audit trail has not."""
        return self.told_before != (None if self.document is None else self.told(self.document.fields))

    def told(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """The fields that admins edit, each value in JSON. A long value is cut to its beginning and a hash."""
        known = self.subject.form.model_fields
        names = sorted(fields.keys() - OURS, key=lambda name: (name not in known, name))[:_MAX_FIELDS]
        return {name: remembered(fields[name]) for name in names}

    def time_seen(self, name: str) -> datetime | None:
        """The time last seen in a field; ``None`` if it held none."""
        try:
            seen_before = _RememberedTime.model_validate_json((self.before or {}).get(name, "null"), strict=True)
        except ValidationError:
            return None
        return seen_before.timestamp.astimezone(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewResult:
    """The result of a review: values for missing fields, and the problems of the document filled in with them."""

    fills: Mapping[str, Plain] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


def seen(subject: ReviewTarget, stored: Mapping[str, Document | None]) -> ReviewState:
    record = stored[subject.record_path]
    return ReviewState(
        subject=subject,
        document=stored[subject.path],
        record=record,
        before=_remembered_in(record, "fields"),
        reported=_remembered_in(record, REPORTED),
    )


def _remembered_in(record: Document | None, name: str) -> Mapping[str, str] | None:
    """The fields that a record remembers. What was edited by hand is ignored: the document counts as new."""
    fields = None if record is None else record.fields.get(name)
    readable = isinstance(fields, Mapping) and all(is_json(value) for value in fields.values())
    return cast("Mapping[str, str]", fields) if readable else None


def review_writes(
    looked_at: ReviewState, verdict: ReviewResult, *, retention: Retention, now: datetime, **more: Plain
) -> list[Write]:
    """Write the result into the document and its new state into the record; if it is an edit, also the audit event.

    The record also keeps ``more``.
    """
    subject, document, record = looked_at.subject, looked_at.document, looked_at.record
    if document is None:
        event = edited(subject.edit, subject.document_id, at=now, before=looked_at.told_before, after=None)
        gone: list[Write] = [audit_event_write(event, subject.paths, retention)]
        return gone if record is None else [*gone, Delete(path=subject.record_path, unchanged_since=record.update_time)]
    edited_at = decode_time(document.update_time)
    fields = dict(verdict.fills)
    if looked_at.is_edit and UPDATED_AT in (*document.fields, *verdict.fills):
        fields[UPDATED_AT] = edited_at
    fields[PROBLEMS] = listed(verdict.problems)
    after = looked_at.told({**document.fields, **fields})
    writes: list[Write] = []
    if (changed := document_write(document.path, document, fields)) is not None:
        writes.append(changed)
    told: dict[str, Plain] = {
        "document": subject.path.removeprefix(f"{subject.paths.organization}/"),
        "fields": after,
        PROBLEMS: fields[PROBLEMS],
        "reviewed_at": now,
        **more,
    }
    if looked_at.reported is not None:
        told[REPORTED] = None
    remember = document_write(subject.record_path, record, told)
    if remember is not None:
        writes.append(remember)
    if looked_at.is_by_hand:
        event = edited(subject.edit, subject.document_id, at=edited_at, before=looked_at.told_before, after=after)
        writes.append(audit_event_write(event, subject.paths, retention))
    return writes


def problem_writes(looked_at: ReviewState, problems: Sequence[Problem], **more: Plain) -> list[Write]:
    """Write only the problems of a document, because another document changed. An edit of it is reviewed separately.

    The record also keeps ``more``.
    """
    document = looked_at.document
    if document is None:
        return []
    told: dict[str, Plain] = {PROBLEMS: listed(problems)}
    in_document = document_write(document.path, document, told)
    in_record = document_write(looked_at.subject.record_path, looked_at.record, {**told, **more})
    return [write for write in (in_document, in_record) if write is not None]


def defaults(form_defaults: Mapping[str, Plain], looked_at: ReviewState, *, dated: Collection[str]) -> dict[str, Plain]:
    """The defaults of the missing fields. A missing field of ``dated`` gets the time last seen, or that of the edit."""
    document = looked_at.document
    if document is None:
        return {}
    written_at = decode_time(document.update_time)
    filled: dict[str, Plain] = dict(form_defaults)
    for name in dated:
        filled[name] = looked_at.time_seen(name) or written_at
    return {name: value for name, value in filled.items() if name not in document.fields}


def listed(problems: Sequence[Problem]) -> list[Plain]:
    # Errors first: they must not be cut off behind notices.
    first = sorted(problems, key=lambda each: each.level is not Level.ERROR)
    return [{**asdict(each), "level": each.level.value} for each in first[:MAX_PROBLEMS]]


def is_json(text: object) -> bool:
    """Whether it is a text that holds JSON."""
    if not isinstance(text, str):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
