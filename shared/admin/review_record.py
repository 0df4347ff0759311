"""What was last seen of a document that admins edit, kept beside it.

An event of Firestore's says that a document was written, perhaps twice, perhaps late, and never by whom. The record
tells an admin's edit from our own writes, and says what was there before the edit. It is written in one commit with
what is written into the document and with the audit event: an edit is told once, and our own write is nobody's edit.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

from shared.documents.forms import Form
from shared.documents.paths import OrganizationPaths
from shared.documents.writing import Retention, audit_event_write, document_write
from shared.firestore.client import Document
from shared.firestore.values import Opaque, Plain, decode_time
from shared.firestore.writes import Delete, Write
from shared.rules.audit import AuditType, edited
from shared.rules.review import Level, Problem

PROBLEMS, CREATED_AT, UPDATED_AT = "problems", "created_at", "updated_at"
BOOKKEEPING = (CREATED_AT, UPDATED_AT, PROBLEMS)
"""Fields that the functions write into documents that admins edit; none of them is a slip of another."""

OURS = frozenset({PROBLEMS, UPDATED_AT})
"""Fields that are written for the admin: a change of them is nobody's edit."""

MAX_PROBLEMS = 20
_MAX_FIELDS = 200
_LONGEST = 500
_READABLE = 100
_TIME = "timestamp"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewTarget:
    """A document under review: where it is, and what an edit of it is called in the audit trail."""

    paths: OrganizationPaths
    collection: str
    document_id: str
    edit: AuditType
    form: type[Form]
    path: str

    @property
    def record_path(self) -> str:
        """Where its record is."""
        return self.paths.review(self.collection, self.document_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewState:
    """The document as it is, and its record: what was last seen of it, field by field in JSON, or ``None``."""

    subject: ReviewTarget
    document: Document | None
    record: Document | None
    before: Mapping[str, str] | None

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing new: the last that was written into it was ours."""
        if self.document is None:
            return self.before is None
        told_problems = None if self.record is None else self.record.fields.get(PROBLEMS)
        return not self.is_edit and self.document.fields.get(PROBLEMS) == told_problems

    @property
    def is_edit(self) -> bool:
        """Whether an admin changed something since it was last seen."""
        return self.before != (None if self.document is None else self.told(self.document.fields))

    def told(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """Put the fields that admins edit into JSON, value by value; of long values the beginning and a hash."""
        known = self.subject.form.model_fields
        names = sorted(fields.keys() - OURS, key=lambda name: (name not in known, name))[:_MAX_FIELDS]
        return {name: _as_json(fields[name]) for name in names}

    def was(self, name: str) -> object:
        """What was last seen in a field, as a plain value; a time is a map with a text."""
        text = (self.before or {}).get(name)
        return None if text is None else json.loads(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewResult:
    """What a review comes to: what it puts where nothing was, and the problems of the document as it is then."""

    fills: Mapping[str, Plain] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


def seen(subject: ReviewTarget, stored: Mapping[str, Document | None]) -> ReviewState:
    """Take the document and its record from what was read."""
    record = stored[subject.record_path]
    fields = None if record is None else record.fields.get("fields")
    # A record that somebody edited says nothing: the document counts as new.
    readable = isinstance(fields, Mapping) and all(is_json(value) for value in fields.values())
    before = cast("Mapping[str, str]", fields) if readable else None
    return ReviewState(subject=subject, document=stored[subject.path], record=record, before=before)


def review_writes(
    looked_at: ReviewState, verdict: ReviewResult, *, retention: Retention, now: datetime, **more: Plain
) -> list[Write]:
    """Write the verdict into the document, tell of the edit if there was one, and remember what is there then.

    ``more`` is kept in the record as well.
    """
    subject, document, record = looked_at.subject, looked_at.document, looked_at.record
    if document is None:
        event = edited(subject.edit, subject.document_id, at=now, before=looked_at.before, after=None)
        gone: list[Write] = [audit_event_write(event, subject.paths, retention)]
        return gone if record is None else [*gone, Delete(path=subject.record_path, unchanged_since=record.update_time)]
    edited_at = decode_time(document.update_time)
    fields = dict(verdict.fills)
    if looked_at.is_edit and UPDATED_AT in (*document.fields, *verdict.fills):
        fields[UPDATED_AT] = edited_at
    fields[PROBLEMS] = _listed(verdict.problems)
    after = looked_at.told({**document.fields, **fields})
    writes: list[Write] = []
    if (changed := document_write(document.path, document, fields)) is not None:
        writes.append(changed)
    remembered: dict[str, Plain] = {
        "document": subject.path.removeprefix(f"{subject.paths.organization}/"),
        "fields": after,
        PROBLEMS: fields[PROBLEMS],
        "reviewed_at": now,
        **more,
    }
    remember = document_write(subject.record_path, record, remembered)
    if remember is not None:
        writes.append(remember)
    if looked_at.is_edit:
        event = edited(subject.edit, subject.document_id, at=edited_at, before=looked_at.before, after=after)
        writes.append(audit_event_write(event, subject.paths, retention))
    return writes


def problem_writes(looked_at: ReviewState, problems: Sequence[Problem], **more: Plain) -> list[Write]:
    """Write the problems of a document alone: something beside it changed. An edit of it is still to be looked at.

    ``more`` is kept in the record as well.
    """
    document = looked_at.document
    if document is None:
        return []
    told: dict[str, Plain] = {PROBLEMS: _listed(problems)}
    in_document = document_write(document.path, document, told)
    in_record = document_write(looked_at.subject.record_path, looked_at.record, {**told, **more})
    return [write for write in (in_document, in_record) if write is not None]


def defaults(form_defaults: Mapping[str, Plain], looked_at: ReviewState, *, dated: Collection[str]) -> dict[str, Plain]:
    """Give the fields that are missing their defaults, and ``dated`` ones the time of the edit.

    A time of creation that was seen before and then removed comes back.
    """
    document = looked_at.document
    if document is None:
        return {}
    written_at = decode_time(document.update_time)
    filled: dict[str, Plain] = dict(form_defaults)
    for name in dated:
        filled[name] = _as_time(looked_at.was(name)) or written_at
    return {name: value for name, value in filled.items() if name not in document.fields}


def _listed(problems: Sequence[Problem]) -> list[Plain]:
    # What stands in the way first: it must not be cut off behind what is only worth a look.
    first = sorted(problems, key=lambda each: each.level is not Level.ERROR)
    return [{**asdict(each), "level": each.level.value} for each in first[:MAX_PROBLEMS]]


def _as_json(value: object) -> str:
    text = json.dumps(value, default=_odd, sort_keys=True, ensure_ascii=False)
    if len(text) <= _LONGEST:
        return text
    return json.dumps(f"{text[:_READABLE]}… ({sha256(text.encode()).hexdigest()[:16]})", ensure_ascii=False)


def _odd(value: object) -> dict[str, str | None]:
    """Put what JSON does not know into a map: a time and its text are two things, and one for the other is an edit."""
    match value:
        case datetime():
            return {_TIME: value.isoformat()}
        case Opaque(kind=kind):
            return {kind.removesuffix("_value"): None}
        case _:
            message = f"no document holds a {type(value)}"
            raise TypeError(message)


def is_json(text: object) -> bool:
    """Whether it is a text that holds JSON, as what was before and after an edit is told."""
    if not isinstance(text, str):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _as_time(remembered: object) -> datetime | None:
    text = remembered.get(_TIME) if isinstance(remembered, dict) else None
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
