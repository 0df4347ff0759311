"""A query over one collection, and the page of its result."""

from dataclasses import dataclass
from typing import Any, Literal

from google.cloud.firestore_v1.types import query as query_types

from shared.firestore.values import Plain, encode_into

WireQuery = query_types.StructuredQuery.pb()
_Operator = query_types.StructuredQuery.FieldFilter.Operator
_Unary = query_types.StructuredQuery.UnaryFilter.Operator
_Direction = query_types.StructuredQuery.Direction
_AND = query_types.StructuredQuery.CompositeFilter.Operator.AND

Comparison = Literal["==", "in", "!=", "<=", ">", "array-contains"]
_OPERATORS = {
    "==": _Operator.EQUAL,
    "in": _Operator.IN,
    "!=": _Operator.NOT_EQUAL,
    "<=": _Operator.LESS_THAN_OR_EQUAL,
    ">": _Operator.GREATER_THAN,
    "array-contains": _Operator.ARRAY_CONTAINS,
}


_EQUALITIES = ("==", "in")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """Where the next page begins: after the document at ``path``, whose ``order_by`` field holds ``value``."""

    path: str
    value: Plain = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A query over one collection of one organization, or with ``everywhere`` of all organizations.

    Pages are ordered by ``order_by`` and then by the documents' paths.
    """

    collection: str
    where: tuple[tuple[str, Comparison, Plain], ...] = ()
    order_by: str | None = None
    last_first: bool = False
    limit: int | None = None
    only_fields: tuple[str, ...] = ()
    everywhere: bool = False
    after: Cursor | None = None

    @property
    def index_fields(self) -> tuple[str, ...]:
        """The fields of the composite index for this query: equalities first, then the range or order."""
        equal = [name for name, comparison, _ in self.where if comparison in _EQUALITIES]
        ranged = [name for name, comparison, _ in self.where if comparison not in _EQUALITIES]
        ordered = [] if self.order_by is None else [self.order_by]
        return tuple(dict.fromkeys([*equal, *ranged, *ordered]))

    def to_wire(self, root: str) -> Any:  # noqa: ANN401 protobuf's generated messages have no static type
        """Make the protobuf ``StructuredQuery``. ``root`` and a path make a full document name."""
        wire = WireQuery()
        wire.from_.add(collection_id=self.collection, all_descendants=self.everywhere)
        if self.where:
            wire.where.composite_filter.op = _AND
        for name, comparison, value in self.where:
            condition = wire.where.composite_filter.filters.add()
            if value is None:
                condition.unary_filter.op = _Unary.IS_NOT_NULL if comparison == "!=" else _Unary.IS_NULL
                condition.unary_filter.field.field_path = name
            else:
                condition.field_filter.op = _OPERATORS[comparison]
                condition.field_filter.field.field_path = name
                encode_into(condition.field_filter.value, value)
        if self.order_by is not None:
            order = wire.order_by.add()
            order.field.field_path = self.order_by
            order.direction = _Direction.DESCENDING if self.last_first else _Direction.ASCENDING
        if self.after is not None:
            self._continue_after(self.after, wire, root)
        if self.limit is not None:
            wire.limit.value = self.limit
        for name in self.only_fields:
            wire.select.fields.add().field_path = name
        return wire

    def _continue_after(self, cursor: Cursor, wire: Any, root: str) -> None:  # noqa: ANN401 as above
        by_path = wire.order_by.add()
        by_path.field.field_path = "__name__"
        by_path.direction = _Direction.DESCENDING if self.last_first else _Direction.ASCENDING
        if self.order_by is not None:
            encode_into(wire.start_at.values.add(), cursor.value)
        wire.start_at.values.add().reference_value = root + cursor.path
        wire.start_at.before = False
