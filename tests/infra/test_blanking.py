"""An event without its person: nothing of them is left in it, and it can still be read."""

from collections.abc import Mapping
from dataclasses import fields as fields_of
from datetime import datetime
from typing import Any

import pytest

from infra.admin.blanking import blanked
from infra.contracts.audit_schema import examples
from shared.audit.message import AUDIT_MESSAGE, AuditMessage, message_from
from shared.documents.paths import OrganizationPaths
from shared.firestore.client import Document
from shared.rules.audit import ERASED, AuditEvent
from shared.rules.refusal import Unusable

PATHS = OrganizationPaths("northwind")
OF_PERSONS = [message for message in examples() if hasattr(message, "user_id")]


def stored(message: AuditMessage) -> Document:
    """The document that such a message comes from."""
    fields: dict[str, Any] = message.model_dump()
    return Document(path=f"{PATHS.organization}/audit_events/{message.event_id}", fields=fields, update_time=1)


def after(event: Document, user_id: str) -> Document:
    """The document after the erasure of a user."""
    change = blanked(event, user_id)
    assert change is not None
    return Document(path=event.path, fields={**event.fields, **change.fields}, update_time=2)


def texts(value: object) -> set[str]:
    """Every text in a value, at any depth."""
    match value:
        case str():
            return {value}
        case Mapping():
            return {text for each in value.values() for text in texts(each)}
        case list() | tuple():
            return {text for each in value for text in texts(each)}
        case _:
            return set()


@pytest.mark.parametrize("message", OF_PERSONS, ids=lambda message: message.type)
def test_an_erased_event_holds_the_seat_and_not_the_person(message: AuditMessage) -> None:
    event = stored(message)

    erased = after(event, event.fields["user_id"])

    kept = message_from(erased)
    assert not isinstance(kept, Unusable), kept
    told = kept.model_dump()
    known = {told[name] for name in ("event_id", "type", "organization_id", "license_id", "session_id") if name in told}
    known |= {told["details"].get(name) for name in ("reason", "limit", "edit", "pool", "by", "role")}
    known |= {*told["details"].get("groups", ())}
    known |= {change["field"] for change in told["details"].get("changes", ())}
    assert texts(told) <= {*known, ERASED, told["actor"]}
    assert told["actor"] != event.fields["user_id"]
    assert told["at"] == event.fields["at"]
    assert {name: value for name, value in told["details"].items() if isinstance(value, int | dict | datetime)} == {
        name: value for name, value in event.fields["details"].items() if isinstance(value, int | dict | datetime)
    }


def test_what_becomes_of_each_field_of_an_event_was_decided() -> None:
    known = {field.name for field in fields_of(AuditEvent)}

    decided = {"name", "type", "at", "actor", "license_id", "session_id", "epoch", "grant_number", "details"}

    assert known == decided | {"user_id", "hardware_id"}


def test_an_event_about_another_user_keeps_all_but_its_actor() -> None:
    event = next(stored(message) for message in OF_PERSONS if message.actor == "olivia")

    erased = after(event, "olivia")

    assert erased.fields == {**event.fields, "actor": ERASED}
    assert AUDIT_MESSAGE.validate_python(erased.fields)


def test_whatever_an_admin_or_a_later_version_put_into_an_event_goes() -> None:
    instance = {"instance_id": "ada-pc", "ip_address": "203.0.113.7", "heartbeats": 3}
    fields = {
        "user_id": "ada",
        "epoch": "e1",
        "note": "called Ada",
        "details": {"instances": [instance], "attempts": 2, "pool": "design"},
    }

    erased = after(Document(path="organizations/northwind/audit_events/e", fields=fields, update_time=1), "ada")

    blank = {"instance_id": None, "ip_address": None, "heartbeats": 3}
    details = {"instances": [blank], "attempts": 2, "pool": "design"}
    assert erased.fields == {"user_id": ERASED, "epoch": "e1", "note": None, "details": details}


def test_what_is_blank_or_about_another_user_is_not_written() -> None:
    event = stored(OF_PERSONS[0])
    erased = after(event, event.fields["user_id"])

    writes = [blanked(erased, event.fields["user_id"]), blanked(event, "nobody")]

    assert writes == [None, None]
