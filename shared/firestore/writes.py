"""The writes of a commit, each with its precondition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from google.cloud.firestore_v1.field_path import FieldPath
from google.cloud.firestore_v1.types import write as write_types

from shared.firestore.values import Plain, encode_fields, encode_into

_REQUEST_TIME = write_types.DocumentTransform.FieldTransform.ServerValue.REQUEST_TIME


@lru_cache(maxsize=10_000)
def _field_path(parts: tuple[str, ...]) -> str:
    """A field's name in the form of the API, quoted where necessary."""
    return str(FieldPath(*parts).to_api_repr())


class Write(Protocol):
    """A write of one document."""

    def put_into(self, wire: Any, root: str) -> None:  # noqa: ANN401 protobuf's generated messages have no static type
        """Fill a protobuf ``Write``. ``root`` and a path make a full document name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Create:
    """Create a document. The commit fails if it exists."""

    path: str
    fields: Mapping[str, Plain]

    def put_into(self, wire: Any, root: str) -> None:  # noqa: ANN401 as above
        wire.update.name = root + self.path
        encode_fields(wire.update.fields, self.fields)
        wire.current_document.exists = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """Set some fields of a document, take ``without`` away, and leave the others.

    The commit fails if the document changed since it was read. Fields are at the top level of the document. A map is
    replaced as a whole.
    """

    path: str
    fields: Mapping[str, Plain]
    unchanged_since: Any
    without: Sequence[str] = ()

    def put_into(self, wire: Any, root: str) -> None:  # noqa: ANN401 as above
        wire.update.name = root + self.path
        encode_fields(wire.update.fields, self.fields)
        # Quoted where necessary: an admin may add a field of any name.
        wire.update_mask.field_paths.extend(_field_path((name,)) for name in (*self.fields, *self.without))
        wire.current_document.update_time.CopyFrom(self.unchanged_since)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """Delete a document. The commit fails if it changed since it was read."""

    path: str
    unchanged_since: Any

    def put_into(self, wire: Any, root: str) -> None:  # noqa: ANN401 as above
        wire.delete = root + self.path
        wire.current_document.update_time.CopyFrom(self.unchanged_since)


@dataclass(frozen=True, kw_only=True, slots=True)
class Add:
    """Add to numbers, or raise them to at least ``raised``, whatever their values are at the commit, and set the time.

    The order of such writes does not matter, so they need no precondition.
    """

    path: str
    numbers: Mapping[tuple[str, ...], int]
    raised: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    timestamp_field: str = field(default="updated_at")

    def put_into(self, wire: Any, root: str) -> None:  # noqa: ANN401 as above
        wire.transform.document = root + self.path
        for parts, number in self.numbers.items():
            change = wire.transform.field_transforms.add(field_path=_field_path(parts))
            encode_into(change.increment, number)
        for parts, number in self.raised.items():
            change = wire.transform.field_transforms.add(field_path=_field_path(parts))
            encode_into(change.maximum, number)
        stamp = wire.transform.field_transforms.add(field_path=self.timestamp_field)
        stamp.set_to_server_value = _REQUEST_TIME


@dataclass(frozen=True, kw_only=True, slots=True)
class Upsert:
    """Set some fields of a document and add to numbers, whatever is stored. A missing document is created.

    Fields and numbers are named by their path within the document. A commit whose outcome is not known may have added;
    repeated, it adds once more.
    """

    path: str
    fields: Mapping[tuple[str, ...], Plain]
    numbers: Mapping[tuple[str, ...], int]

    def put_into(self, wire: Any, root: str) -> None:  # noqa: ANN401 as above
        wire.update.name = root + self.path
        for parts, value in self.fields.items():
            encode_into(_field_at(wire.update.fields, parts), value)
        wire.update_mask.field_paths.extend(map(_field_path, self.fields))
        for parts, number in self.numbers.items():
            change = wire.update_transforms.add(field_path=_field_path(parts))
            encode_into(change.increment, number)


def _field_at(wire_fields: Any, parts: tuple[str, ...]) -> Any:  # noqa: ANN401 as above
    *maps, last = parts
    for name in maps:
        wire_fields = wire_fields[name].map_value.fields
    return wire_fields[last]
