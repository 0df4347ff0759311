"""Firestore's wire values to and from plain Python.

The client library's own converters build a wrapper object for every field of every document; on the way of every
request that was the largest single cost. These work on the protobuf messages directly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.cloud.firestore_v1.types import document as document_types

Plain = str | int | float | bool | None | datetime | Mapping[str, "Plain"] | list["Plain"]
Fields = dict[str, Any]

WireValue = document_types.Value.pb()
WireDocument = document_types.Document.pb()


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value of a kind that no document of ours uses (bytes, reference, place, vector). It validates as nothing."""

    kind: str


def encode_into(wire: Any, value: Plain) -> None:  # noqa: ANN401 protobuf's generated messages have no static type
    """Write a plain value into a protobuf ``Value``. Times must be aware."""
    match value:
        case None:
            wire.null_value = 0
        case bool():  # before int: True is an int
            wire.boolean_value = value
        case str():
            wire.string_value = value
        case int():
            wire.integer_value = value
        case float():
            wire.double_value = value
        case datetime():
            wire.timestamp_value.FromDatetime(value.astimezone(UTC))
        case list():
            wire.array_value.SetInParent()
            for item in value:
                encode_into(wire.array_value.values.add(), item)
        case _:
            wire.map_value.SetInParent()
            encode_fields(wire.map_value.fields, value)


def encode_fields(wire_fields: Any, fields: Mapping[str, Plain]) -> None:  # noqa: ANN401 as above
    """Write plain fields into a protobuf map of ``Value``."""
    for name, value in fields.items():
        encode_into(wire_fields[name], value)


def decode(wire: Any) -> Any:  # noqa: ANN401 a hand-edited document may hold anything; a line for each kind
    """Read a protobuf ``Value`` as plain Python."""
    kind = wire.WhichOneof("value_type")
    match kind:
        case "string_value" | "integer_value" | "boolean_value" | "double_value":
            return getattr(wire, kind)
        case "timestamp_value":
            return wire.timestamp_value.ToDatetime(tzinfo=UTC)
        case "null_value" | None:
            return None
        case "map_value":
            return decode_fields(wire.map_value.fields)
        case "array_value":
            return [decode(item) for item in wire.array_value.values]
        case _:
            return Opaque(kind)


def decode_fields(wire_fields: Any) -> Fields:  # noqa: ANN401 as above
    """Read a protobuf map of ``Value`` as plain fields."""
    return {name: decode(value) for name, value in wire_fields.items()}
