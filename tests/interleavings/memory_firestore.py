"""A database in memory, behind the four calls of ``shared.firestore.rpc``: what Firestore does with the seat protocol's
requests, and nothing that the protocol does not use.

Every version of every document is kept, so a read may be of an earlier instant. ``test_memory_firestore.py`` holds it
to Google's emulator.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import grpc
from google.cloud.firestore_v1.field_path import FieldPath
from google.cloud.firestore_v1.types import firestore as api
from google.cloud.firestore_v1.types import query as query_types

from shared.firestore.values import Plain, WireDocument, decode, decode_fields, encode_fields, encode_into

DATABASE = "projects/paper/databases/(default)"
ROOT = f"{DATABASE}/documents/"
BEGINNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

_Operator = query_types.StructuredQuery.FieldFilter.Operator
_DESCENDING = query_types.StructuredQuery.Direction.DESCENDING
_INSTANT = timedelta(microseconds=1)


class Refused(grpc.RpcError):
    """An answer that is an error."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code.name)
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "said by the memory database"


@dataclass(frozen=True, kw_only=True)
class Version:
    """A document from one instant on; ``None``: it is not there."""

    since: datetime
    document: Any

    @cached_property
    def fields(self) -> dict[str, Any] | None:
        return None if self.document is None else decode_fields(self.document.fields)


class MemoryFirestore:
    """One database. ``clock`` tells the time; no two commits have the same, and none is older than a read."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._latest = BEGINNING
        self._versions: dict[str, list[Version]] = {}
        self.after_commit: Callable[[], None] = lambda: None
        self.trouble: grpc.StatusCode | None = None
        """What the next call is answered with instead of being done."""
        self.loses: grpc.StatusCode | None = None
        """What the next call is answered with although it is done."""

    # The hand

    @property
    def now(self) -> datetime:
        """The time of a read made now: no two have the same."""
        self._latest = max(self._latest + _INSTANT, self._clock())
        return self._latest

    def put(self, path: str, fields: Mapping[str, Plain] | None) -> None:
        """Write a document whole, or with ``None`` delete it, as an admin does."""
        changed: Any = None
        if fields is not None:
            changed = WireDocument(name=ROOT + path)
            encode_fields(changed.fields, fields)
        self._apply({ROOT + path: changed})

    def edit(self, path: str, **fields: Plain) -> None:
        """Set some fields."""
        self.put(path, {**(self.get(path) or {}), **fields})

    def get(self, path: str, *, at: datetime | None = None) -> dict[str, Any] | None:
        """The fields of a document now, or at an instant."""
        version = self._version(ROOT + path, at)
        return None if version is None else version.fields

    def below(self, collection: str, *, at: datetime | None = None) -> dict[str, dict[str, Any]]:
        """The documents of one collection, by their ids."""
        prefix = f"{ROOT}{collection}/"
        found = ((name, self._version(name, at)) for name in sorted(self._versions) if name.startswith(prefix))
        return {name.removeprefix(prefix): each.fields for name, each in found if each is not None and each.fields}

    # The API

    def batch_get_documents(self, request: Any) -> Iterator[Any]:  # noqa: ANN401 protobuf's messages have no static type
        at = self._read_time(request)
        for name in request.documents:
            answer = api.BatchGetDocumentsResponse.pb()()
            answer.read_time.FromDatetime(at)
            document = self._at(name, at)
            if document is None:
                answer.missing = name
            else:
                answer.found.CopyFrom(_masked(document, request.mask.field_paths))
            yield answer
        self._may_lose()

    def run_query(self, request: Any) -> Iterator[Any]:  # noqa: ANN401 as above
        at = self._read_time(request)
        for document in self._found(request.parent, request.structured_query, at):
            answer = api.RunQueryResponse.pb()()
            answer.read_time.FromDatetime(at)
            answer.document.CopyFrom(
                _masked(document, [field.field_path for field in request.structured_query.select.fields])
            )
            yield answer
        self._may_lose()

    def run_aggregation_query(self, request: Any) -> Iterator[Any]:  # noqa: ANN401 as above
        at = self._read_time(request)
        counted = request.structured_aggregation_query
        (aggregation,) = counted.aggregations
        answer = api.RunAggregationQueryResponse.pb()()
        found = self._found(request.parent, counted.structured_query, at)
        answer.result.aggregate_fields[aggregation.alias].integer_value = len(found)
        yield answer
        self._may_lose()

    def commit(self, request: Any) -> Any:  # noqa: ANN401 as above
        self._may_refuse()
        changed: dict[str, Any] = {}
        time = self.now + _INSTANT
        for write in request.writes:
            name = write.update.name or write.delete or write.transform.document
            before = changed[name] if name in changed else self._at(name, None)
            if write.HasField("current_document"):
                _hold(write.current_document, before)
            changed[name] = _changed(write, before, name=name, time=time)
        self._apply(changed)
        self._may_lose()
        return api.CommitResponse.pb()()

    # Inside

    def _may_refuse(self) -> None:
        if (code := self.trouble) is not None:
            self.trouble = None
            raise Refused(code)

    def _may_lose(self) -> None:
        if (code := self.loses) is not None:
            self.loses = None
            raise Refused(code)

    def _read_time(self, request: Any) -> datetime:  # noqa: ANN401 as above
        self._may_refuse()
        if request.HasField("read_time"):
            asked: datetime = request.read_time.ToDatetime(UTC)
            return asked
        return self.now

    def _apply(self, changed: Mapping[str, Any]) -> None:
        self._latest = self.now + _INSTANT
        for name, document in changed.items():
            before = self._at(name, None)
            if document is not None:
                document.update_time.FromDatetime(self._latest)
                document.create_time.CopyFrom(document.update_time if before is None else before.create_time)
            self._versions.setdefault(name, []).append(Version(since=self._latest, document=document))
        self.after_commit()

    def _version(self, name: str, at: datetime | None) -> Version | None:
        versions = reversed(self._versions.get(name, []))
        return next((each for each in versions if at is None or each.since <= at), None)

    def _at(self, name: str, at: datetime | None) -> Any:  # noqa: ANN401 as above
        version = self._version(name, at)
        return None if version is None else version.document

    def _found(self, parent: str, query: Any, at: datetime) -> list[Any]:  # noqa: ANN401 as above
        (source,) = query.from_
        names = (name for name in sorted(self._versions) if _is_in(name, parent, source))
        documents = (document for name in names if (document := self._at(name, at)) is not None)
        filters = query.where.composite_filter.filters
        found = [document for document in documents if all(_passes(document, each) for each in filters)]
        for order in query.order_by:
            field = order.field.field_path
            found = [document for document in found if field in document.fields]
            found.sort(key=lambda each: _key(each.fields[field]), reverse=order.direction == _DESCENDING)
        return found[: query.limit.value] if query.HasField("limit") else found


def _is_in(name: str, parent: str, source: Any) -> bool:  # noqa: ANN401 as above
    collection, _, _ = name.rpartition("/")
    if source.all_descendants:
        return collection.endswith(f"/{source.collection_id}")
    return collection == f"{parent}/{source.collection_id}"


def _masked(document: Any, fields: Any) -> Any:  # noqa: ANN401 as above
    if not fields:
        return document
    masked = WireDocument(name=document.name, create_time=document.create_time, update_time=document.update_time)
    for field in fields:
        if field in document.fields:
            masked.fields[field].CopyFrom(document.fields[field])
    return masked


def _key(value: Any) -> Any:  # noqa: ANN401 as above
    """Order values of one kind; the protocol's queries compare no others."""
    return decode(value)


def _passes(document: Any, condition: Any) -> bool:  # noqa: ANN401 as above
    if condition.HasField("unary_filter"):
        field = condition.unary_filter.field.field_path
        return field in document.fields and decode(document.fields[field]) is None
    field, wanted = condition.field_filter.field.field_path, condition.field_filter.value
    if field not in document.fields:
        return False
    stored = document.fields[field]
    if stored.WhichOneof("value_type") != wanted.WhichOneof("value_type"):
        return False
    match condition.field_filter.op:
        case _Operator.EQUAL:
            return bool(_key(stored) == _key(wanted))
        case _Operator.LESS_THAN_OR_EQUAL:
            return bool(_key(stored) <= _key(wanted))
        case _Operator.GREATER_THAN:
            return bool(_key(stored) > _key(wanted))
        case other:
            message = f"the memory database does not know {other}"
            raise AssertionError(message)


def _hold(condition: Any, before: Any) -> None:  # noqa: ANN401 as above
    """Refuse a write whose condition does not hold."""
    if condition.HasField("update_time"):
        if before is None:
            raise Refused(grpc.StatusCode.NOT_FOUND)
        if before.update_time != condition.update_time:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION)
    elif not condition.exists and before is not None:
        raise Refused(grpc.StatusCode.ALREADY_EXISTS)


def _changed(write: Any, before: Any, *, name: str, time: datetime) -> Any:  # noqa: ANN401 as above
    if write.delete:
        return None
    after = WireDocument(name=name)
    if before is not None and (write.HasField("update_mask") or write.HasField("transform")):
        after.CopyFrom(before)
    if write.HasField("transform"):
        for each in write.transform.field_transforms:
            _transform(after.fields, FieldPath.from_api_repr(each.field_path).parts, each, time)
        return after
    if not write.HasField("update_mask"):
        after.fields.MergeFrom(write.update.fields)
    for path in write.update_mask.field_paths:
        parts = FieldPath.from_api_repr(path).parts
        _field_at(after.fields, parts).CopyFrom(_field_at(write.update.fields, parts))
    for each in write.update_transforms:
        _transform(after.fields, FieldPath.from_api_repr(each.field_path).parts, each, time)
    return after


def _field_at(fields: Any, parts: tuple[str, ...]) -> Any:  # noqa: ANN401 as above
    *maps, last = parts
    for name in maps:
        fields[name].map_value.SetInParent()
        fields = fields[name].map_value.fields
    return fields[last]


def _transform(fields: Any, parts: tuple[str, ...], change: Any, time: datetime) -> None:  # noqa: ANN401 as above
    first, *rest = parts
    if rest:
        fields[first].map_value.SetInParent()
        _transform(fields[first].map_value.fields, tuple(rest), change, time)
    elif change.HasField("increment"):
        stored = fields[first]
        number = stored.integer_value if stored.WhichOneof("value_type") == "integer_value" else 0
        encode_into(stored, number + change.increment.integer_value)
    elif change.HasField("maximum"):
        stored = fields[first]
        is_number = stored.WhichOneof("value_type") == "integer_value"
        number = change.maximum.integer_value
        encode_into(stored, max(stored.integer_value, number) if is_number else number)
    else:
        encode_into(fields[first], time)
