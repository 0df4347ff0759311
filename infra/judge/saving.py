"""Write a history as JSON and read it again, to judge it later."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from infra.judge.history import History, Stored

_HISTORY = TypeAdapter(History)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def to_json(history: History) -> bytes:
    return _HISTORY.dump_json(history, indent=1)


def from_json(text: bytes) -> History:
    """Read a history. JSON has no times, so a text in a document or an edit that looks like a time becomes one."""
    history = _HISTORY.validate_json(text)
    present, edits = history.present, history.edits
    if present is not None:
        present = replace(
            present,
            organization=None if present.organization is None else _stored(present.organization),
            licenses=tuple(map(_stored, present.licenses)),
            sessions=tuple(map(_stored, present.sessions)),
            seats=None if present.seats is None else _stored(present.seats),
            places=tuple(map(_stored, present.places)),
            usage_days=tuple(map(_stored, present.usage_days)),
        )
    return replace(
        history,
        present=present,
        events=tuple(replace(event, details=_revived(event.details)) for event in history.events),
        edits=None if edits is None else tuple(replace(edit, fields=_revived(edit.fields)) for edit in edits),
    )


def _stored(document: Stored) -> Stored:
    return replace(document, fields=_revived(document.fields))


def _revived(value: Any) -> Any:  # noqa: ANN401 any value of a document
    match value:
        case str() if _TIME.fullmatch(value):
            return datetime.fromisoformat(value)
        case Mapping():
            return {name: _revived(each) for name, each in value.items()}
        case list():
            return [_revived(each) for each in value]
        case _:
            return value
