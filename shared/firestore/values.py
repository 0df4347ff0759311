"""Converts between Firestore's wire values and plain Python.

The client library's own converters make a wrapper object for every field of every document. That was the largest single
cost of a request. These converters work on the protobuf messages directly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.firestore_v1.types import document as document_types

Plain = str | int | float | bool | None | datetime | Mapping[str, "Plain"] | Sequence["Plain"]
Fields = dict[str, Any]

WireValue = document_types.Value.pb()
WireDocument = document_types.Document.pb()


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value of a kind that our documents do not use: bytes, reference, geopoint, vector. No form accepts it."""

    kind: str


def is_opaque(value: object) -> bool:
    """Whether a decoded value contains a part that cannot be encoded again."""
    match value:
        case Opaque():
            return True
        case Mapping():
            return any(map(is_opaque, value.values()))
        case list():
            return any(map(is_opaque, value))
        case _:
            return False


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode_into(wire: Any, value: Plain) -> None:  # noqa: ANN401 protobuf's generated messages have no static type
    """Write a plain value into a protobuf ``Value``. Times must be aware."""
    match value:
        case str():
            wire.string_value = value
        case None:
            wire.null_value = 0
        case datetime():
            since, timestamp = value - _EPOCH, wire.timestamp_value
            timestamp.seconds = since.days * 86_400 + since.seconds
            timestamp.nanos = since.microseconds * 1_000
        case bool():  # before int: True is an int
            wire.boolean_value = value
        case int():
            wire.integer_value = value
        case float():
            wire.double_value = value
        case Mapping():
            wire.map_value.SetInParent()
            encode_fields(wire.map_value.fields, value)
        case _:
            wire.array_value.SetInParent()
            for item in value:
                encode_into(wire.array_value.values.add(), item)


def decode_time(wire: Any) -> datetime:  # noqa: ANN401 as above
    """Read a protobuf ``Timestamp`` as an aware time, to the microsecond. Firestore stores no more."""
    return _EPOCH + timedelta(0, wire.seconds, wire.nanos // 1_000)


def encode_fields(wire_fields: Any, fields: Mapping[str, Plain]) -> None:  # noqa: ANN401 as above
    """Write plain fields into a protobuf map of ``Value``."""
    for name, value in fields.items():
        encode_into(wire_fields[name], value)


def decode(wire: Any) -> Any:  # noqa: ANN401 a hand-edited document may hold anything; a line for each kind
    kind = wire.WhichOneof("value_type")
    match kind:
        case "string_value" | "integer_value" | "boolean_value" | "double_value":
            return getattr(wire, kind)
        case "timestamp_value":
            return decode_time(wire.timestamp_value)
        case "null_value" | None:
            return None
        case "map_value":
            return decode_fields(wire.map_value.fields)
        case "array_value":
            return [decode(item) for item in wire.array_value.values]
        case _:
            return Opaque(kind)


def decode_fields(wire_fields: Any) -> Fields:  # noqa: ANN401 as above
    # Iterates over names: items() makes pairs first, and takes one and a half times as long.
    return {name: decode(wire_fields[name]) for name in wire_fields}
