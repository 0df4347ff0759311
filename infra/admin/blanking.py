"""An audit event without the person whose data was erased. The seat, its times and its numbers stay.

The event itself stays too. Without it the trail would lack a grant, or show a seat as free that was taken.
"""

from collections.abc import Mapping

from shared.firestore.client import Document
from shared.firestore.values import Opaque, Plain
from shared.firestore.writes import Update
from shared.rules.audit import ERASED

_TEXTS_THAT_STAY = frozenset(
    {
        *("type", "actor", "organization_id", "license_id", "session_id", "epoch"),
        *("reason", "limit", "edit", "field", "pool", "by", "role", "groups"),
    }
)
"""The fields of an event, and of its details, whose text is not about a person. Every other text goes."""


def blanked(event: Document, user_id: str) -> Update | None:
    """The write that takes the person out of an event; ``None`` if the event does not name them.

    An event about another user names the person as its actor, or as who invited that user.
    """
    fields: dict[str, Plain] = {}
    if event.fields.get("user_id") == user_id:
        fields = {name: _without_texts(name, value) for name, value in event.fields.items()}
        fields["user_id"] = ERASED
        if fields.get("hardware_id", ERASED) is None and event.fields["hardware_id"] is not None:
            fields["hardware_id"] = ERASED
    elif invited_by(event) == user_id:
        fields["details"] = {**event.fields["details"], "invited_by": ERASED}
    if event.fields.get("actor") == user_id:
        fields["actor"] = ERASED
    changed = {name: value for name, value in fields.items() if value != event.fields.get(name)}
    return Update(path=event.path, fields=changed, unchanged_since=event.update_time) if changed else None


def invited_by(event: Document) -> str | None:
    """Who invited the user of ``user.joined``; ``None`` for every other event."""
    details = event.fields.get("details")
    told = details.get("invited_by") if isinstance(details, Mapping) else None
    return told if isinstance(told, str) else None


def _without_texts(name: str, value: object) -> Plain:
    match value:
        case str():
            return value if name in _TEXTS_THAT_STAY else None
        case Mapping():
            return {key: _without_texts(key, each) for key, each in value.items()}
        case list():
            return [_without_texts(name, each) for each in value]
        case Opaque():
            return None  # bytes or the like, typed in by hand
        case _:
            return value  # type: ignore[return-value]  # a number, a time, true, false or null
