"""What subscribers may rely on: the schemas and the examples are what the messages are, and stay so."""

import json
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import Message
from jsonschema import Draft202012Validator

from infra.contracts.audit_schema import JSON_SCHEMA, PAGE, PROTO_SCHEMA, examples, json_schema, page, proto_schema
from shared.audit.message import AUDIT_MESSAGE, AuditMessage
from shared.rules.audit import AuditType

EXAMPLES = list(examples())
BY_TYPE: dict[str, dict[str, Any]] = {message.type: message.model_dump(mode="json") for message in EXAMPLES}
"""One example of each type, as a subscriber gets it."""

VALIDATOR = Draft202012Validator(json.loads(JSON_SCHEMA.read_text()))
REMOVE = object()


def _name(message: AuditMessage) -> str:
    return message.type


def _changed(kind: str, path: str, value: object) -> dict[str, Any]:
    """Take the example of a type with one field set to something else, added or removed."""
    message = deepcopy(BY_TYPE[kind])
    *above, last = path.split(".")
    place: Any = message
    for name in above:
        place = place[int(name) if isinstance(place, list) else name]
    if value is REMOVE:
        del place[last]
    else:
        place[last] = value
    return message


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> type[Message]:
    """The message of the topic's schema, as Google's own compiler understands it."""
    written: Path = tmp_path_factory.mktemp("proto") / "descriptors"
    compiler = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO_SCHEMA.parent}"]
    ran = subprocess.run(
        [*compiler, f"--descriptor_set_out={written}", PROTO_SCHEMA.name], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    (file,) = descriptor_pb2.FileDescriptorSet.FromString(written.read_bytes()).file
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    # Pub/Sub takes the first message of the schema for the one that is sent.
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(file.message_type[0].name))


# What is written down is what the models say


def test_the_json_schema_is_what_the_models_say() -> None:
    written = JSON_SCHEMA.read_text()

    generated = json_schema()

    assert written == generated


def test_the_topics_schema_is_what_the_models_say() -> None:
    written = PROTO_SCHEMA.read_text()

    generated = proto_schema()

    assert written == generated


def test_the_examples_in_the_docs_are_what_the_code_makes() -> None:
    written = PAGE.read_text()

    generated = page(written)

    assert written == generated


def test_generating_replaces_the_examples_and_leaves_the_words_around_them() -> None:
    before = "Words.\n<!-- examples: generated -->\nstale\n<!-- end of examples -->\nMore words.\n"

    after = page(before)

    assert after.startswith("Words.\n<!-- examples: generated -->\n")
    assert after.endswith("<!-- end of examples -->\nMore words.\n")
    assert "stale" not in after
    assert '"session.acquired"' in after


def test_a_new_field_is_not_written_without_a_number_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {
        "AuditEvent": ("schema_version",),
        "Details": ("reason",),
        "Seats": ("in_use",),
        "LicenseSeats": ("in_use",),
        "Change": ("field",),
        "PoolSeats": ("group",),
    }
    monkeypatch.setattr("infra.contracts.audit_schema._NUMBERS", numbers)

    with pytest.raises(ValueError, match=r"AuditEvent has fields without a number; append them to _NUMBERS: \['actor'"):
        proto_schema()


# Every type


def test_every_type_of_event_has_a_message_and_every_message_is_of_one() -> None:
    models = get_args(AuditMessage)

    types = [kind for model in models for kind in get_args(model.model_fields["type"].annotation)]

    assert sorted(types) == sorted(AuditType)


@pytest.mark.parametrize("kind", AuditType)
def test_every_type_of_event_has_an_example(kind: AuditType) -> None:
    types = {message.type for message in EXAMPLES}

    assert kind.value in types


@pytest.mark.parametrize("kind", AuditType)
def test_every_type_of_event_is_in_the_docs(kind: AuditType) -> None:
    lines = PAGE.read_text().splitlines()

    headings = [line for line in lines if line.startswith(f"`{kind}`")]

    assert headings


@pytest.mark.parametrize("message", EXAMPLES, ids=_name)
def test_an_example_reads_back_as_the_message_that_it_is(message: AuditMessage) -> None:
    sent = message.model_dump_json()

    read = AUDIT_MESSAGE.validate_json(sent)

    assert read == message


# JSON schema


def test_the_json_schema_is_one() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("message", EXAMPLES, ids=_name)
def test_an_example_is_valid_by_the_json_schema(message: AuditMessage) -> None:
    sent = json.loads(message.model_dump_json())

    problems = [problem.message for problem in VALIDATOR.iter_errors(sent)]

    assert problems == []


@pytest.mark.parametrize("kind", AuditType)
@pytest.mark.parametrize("field", ["added_later", "details.added_later"])
def test_a_field_that_is_added_later_leaves_a_message_valid_by_the_json_schema(kind: AuditType, field: str) -> None:
    sent = _changed(kind, field, "something new")

    valid = VALIDATOR.is_valid(sent)

    assert valid


WRONG: list[tuple[str, str, object]] = [
    ("session.acquired", "event_id", REMOVE),
    ("session.acquired", "event_id", None),
    ("session.acquired", "at", REMOVE),
    ("session.acquired", "organization_id", REMOVE),
    ("session.acquired", "schema_version", 2),
    ("session.acquired", "type", "session.taken"),
    ("session.acquired", "type", "session.released"),
    ("session.acquired", "grant_number", REMOVE),
    ("session.acquired", "grant_number", 0),
    ("session.acquired", "details", REMOVE),
    ("session.acquired", "details.seats", REMOVE),
    ("session.acquired", "details.seats.in_use", -1),
    ("session.acquired", "details.seats.in_use", None),
    ("session.acquired", "details.seats.max", "many"),
    ("session.denied", "details.attempts", REMOVE),
    ("session.denied", "details.attempts", 0),
    ("session.denied", "details.limit", "user"),
    ("session.released", "details.reason", "tired"),
    ("session.released", "details.started_at", 5),
    ("session.expired", "session_id", REMOVE),
    ("session.expired", "details.lease_expires_at", None),
    ("session.revoked", "details.reason", None),
    ("organization.edited", "details.edit", "moved"),
    ("user.edited", "user_id", REMOVE),
    ("license.edited", "license_id", None),
    ("license.edited", "details.changes", REMOVE),
    ("license.edited", "details.changes.0.before", 5),
    ("usage.repaired", "details.before", 3),
    ("usage.repaired", "details.after", None),
    ("usage.repaired", "details.after.0.in_use", "two"),
]


@pytest.mark.parametrize(("kind", "path", "value"), WRONG)
def test_a_message_that_is_not_as_promised_is_not_valid_by_the_json_schema(kind: str, path: str, value: object) -> None:
    wrong = _changed(kind, path, value)

    valid = VALIDATOR.is_valid(wrong)

    assert not valid


def test_counters_that_were_missing_are_null_in_a_valid_message() -> None:
    sent = _changed("usage.repaired", "details.before", None)

    valid = VALIDATOR.is_valid(sent)

    assert valid


# The topic's schema


def _set_fields(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.message_type is None:
            yield from [field.name] * (len(value) if field.is_repeated else 1)
        else:
            yield from (f"{field.name}.{below}" for each in _each(value) for below in _set_fields(each))


def _each(value: Any) -> list[Any]:  # noqa: ANN401 one message, or several
    return [value] if isinstance(value, Message) else list(value)


def _given_fields(sent: dict[str, Any]) -> Iterator[str]:
    for name, value in sent.items():
        match value:
            case None:
                continue
            case dict():
                yield from (f"{name}.{below}" for below in _given_fields(value))
            case list():
                yield from [name] * sum(isinstance(each, str) for each in value)
                below = (each for each in value if isinstance(each, dict))
                yield from (f"{name}.{field}" for each in below for field in _given_fields(each))
            case _:
                yield name


@pytest.mark.parametrize("message", EXAMPLES, ids=_name)
def test_an_example_is_a_message_of_the_topics_schema_with_every_field_that_it_has(
    compiled: type[Message], message: AuditMessage
) -> None:
    sent = message.model_dump_json()

    parsed = json_format.Parse(sent, compiled())

    assert sorted(_set_fields(parsed)) == sorted(_given_fields(json.loads(sent)))


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("session.acquired", "details.seats.max"),
        ("session.acquired", "details.ip_address"),
        ("session.denied", "details.user_email"),
        ("usage.repaired", "details.before"),
    ],
)
def test_a_field_that_may_be_null_may_be_null_on_the_topic(compiled: type[Message], kind: str, path: str) -> None:
    sent = _changed(kind, path, None)

    parsed = json_format.ParseDict(sent, compiled())

    assert path not in set(_set_fields(parsed))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("session.acquired", "added_later", 1),
        ("session.acquired", "details.added_later", 1),
        ("session.acquired", "details.seats.added_later", 1),
        ("session.acquired", "event_id", 5),
        ("session.acquired", "at", 5),
        ("session.acquired", "grant_number", "forty"),
        ("session.acquired", "grant_number", 1.5),
        ("session.acquired", "details", "none"),
        ("session.acquired", "details.seats", 3),
        ("session.denied", "details.attempts", "three"),
        ("session.denied", "details.attempts", True),
        ("usage.repaired", "details.after", 3),
        ("usage.repaired", "details.after.0.in_use", "two"),
    ],
)
def test_a_field_that_is_unknown_or_of_another_type_is_not_taken_by_the_topics_schema(
    compiled: type[Message], kind: str, path: str, value: object
) -> None:
    wrong = json.dumps(_changed(kind, path, value))

    with pytest.raises(json_format.ParseError):
        json_format.Parse(wrong, compiled())


def test_a_field_of_the_topics_schema_keeps_its_number(compiled: type[Message]) -> None:
    event = compiled.DESCRIPTOR

    numbers = {
        message.name: {field.name: field.number for field in message.fields} for message in (event, *event.nested_types)
    }

    # New fields and messages come to these; none of these ever changes.
    first = {
        "AuditEvent": "schema_version event_id type at actor organization_id license_id session_id user_id hardware_id "
        "grant_number details",
        "Details": "reason started_at last_heartbeat_at lease_expires_at limit attempts last_attempt_at ip_address "
        "user_agent user_email seats organization_seats before after",
        "Seats": "in_use max",
        "LicenseSeats": "license_id in_use",
    }
    for name, fields in first.items():
        expected = {field: number for number, field in enumerate(fields.split(), start=1)}
        assert {field: numbers[name].get(field) for field in expected} == expected
