"""Hypothesis strategies for admins' edits of documents, with every kind of slip in fields and values.

The strategies return plain frozen values, so that a failing example prints readably. ``Edit.apply`` writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from math import inf, nan
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.vector import Vector
from hypothesis import strategies as st

from shared.documents.forms import (
    LicenseDocument,
    OrganizationDocument,
    SeatUseDocument,
    SessionDocument,
    UserDocument,
)
from shared.rules.session import EndReason
from shared.rules.user import Role


class Slip(Enum):
    """What is no value: the field was removed."""

    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Ago:
    """A time before now, or with a negative span after it."""

    span: timedelta


@dataclass(frozen=True, kw_only=True)
class Place:
    """A geopoint; Google's own does not say what it is."""

    latitude: float
    longitude: float


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A reference to a document."""

    path: str


def _stored(value: Any, console: firestore.Client) -> Any:  # noqa: ANN401, PLR0911 it holds anything; a line for each
    """Turn a value into what Google's client writes."""
    match value:
        case Ago(span=span):
            return datetime.now(UTC) - span
        case Place(latitude=latitude, longitude=longitude):
            return firestore.GeoPoint(latitude, longitude)
        case Reference(path=path):
            return console.document(path)
        case dict():
            return {name: _stored(each, console) for name, each in value.items()}
        case list():
            return [_stored(each, console) for each in value]
        case datetime():
            # As it was read, Google's client would write the end of the year 9999 a second late, which nobody takes.
            return datetime.combine(value.date(), value.timetz())
        case _:
            return value


# Values, of every type that Firestore knows

YEAR_1, YEAR_9999 = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
MOMENT, HOUR, CENTURY = timedelta(milliseconds=1), timedelta(hours=1), timedelta(days=36_525)

_TEXTS = [
    "",
    " ",
    "20",
    "true",
    "null",
    "Owner",
    "member ",
    "\x00",
    "\x7f\x1b[31m",
    "a\nb",
    "\u202egnp.exe",
    "\U0001f600" * 30,
    "x" * 321,
    "é" * 2_000,
    "[" * 5_000,
    '{"a": [NaN]}',
    "2030-01-01",
    "2030-01-01T00:00:00+00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "(bytes_value)",
    "a/b",
    ".",
    "..",
    "__all__",
    "`a`.b\\c",
]
TEXTS = st.sampled_from(_TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_LIMITS = [2**31 - 1, 2**31, 2**53 - 1, 2**53, 2**63 - 1]
WHOLE = st.sampled_from([0, 1, 2, 3, 5, -1, *_LIMITS, *(-limit for limit in _LIMITS), -(2**63)])
NUMBERS = WHOLE | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([nan, inf, -inf, 0.0, -0.0, 0.5, 3.0, 1e308])
TIMES = st.sampled_from(
    [
        YEAR_1,
        YEAR_9999,
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2030, 1, 1, tzinfo=UTC),
        *(Ago(span=span) for span in (MOMENT, HOUR, CENTURY, -MOMENT, -HOUR, -CENTURY)),
    ]
)
_REFERENCE = Reference(path="organizations/elsewhere/licenses/license-1")
ODDITIES = st.sampled_from([b"", b"\x00\xff", Place(latitude=1, longitude=-2), _REFERENCE])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | TIMES | ODDITIES
NAMES = st.sampled_from(["a", "a.b", "`", "\\", "license-1", "attempts", "started_at", "with space", "é"])
LISTS = st.lists(SCALARS | st.dictionaries(NAMES, SCALARS, max_size=2), max_size=3)  # Firestore knows no lists of lists
MAPS = st.dictionaries(NAMES, SCALARS | LISTS | st.dictionaries(NAMES, SCALARS, max_size=2), max_size=3)
ANYTHING = SCALARS | LISTS | MAPS | st.just(Vector([1.0, 2.0])) | st.just(Slip.GONE)


ONE_OF_EACH: Sequence[Any] = [
    *(Slip.GONE, None, True, 0, -1, 2**63 - 1, nan, 3.0, "", "20", YEAR_1, YEAR_9999),
    *(b"\x00\xff", Place(latitude=1, longitude=-2), _REFERENCE, Vector([1.0, 2.0]), [1, "a"], {"a": None}),
]
"""A value of each type."""

NEARLY_RIGHT: Sequence[Any] = [
    *(False, 1, -(2**63), -inf, 0.5, "true", "member ", "x" * 321, "a\x00b", "__x__", [], {}),
    *(Ago(span=HOUR), Ago(span=-HOUR)),
]
"""And more of the types that fields have."""


# Fields, and what is likely there

_CAPS = st.none() | st.integers(-1, 5) | st.sampled_from(["20", "3", "", 3.0, 2.5, True])
_SWITCHES = st.booleans() | st.sampled_from(["yes", "true", "no", "", 1, 0, None])
_LICENSES = st.sampled_from(["license-1", "license-2", "license-3", "no-such-license", "a/b"])
_USERS = st.sampled_from(["m0", "m1", "m4", "gus", "nobody"])
_GROUP_NAMES = st.sampled_from(["design", "render", "Design", "design\n", ""])
_GROUPS = st.lists(_GROUP_NAMES, max_size=3)
_ATTEMPTS = st.fixed_dictionaries({"attempts": WHOLE, "last_attempt_at": TIMES})
_LIKELY: Mapping[str, st.SearchStrategy[Any]] = {
    "max_concurrent_seats": _CAPS,
    "is_active": _SWITCHES,
    "role": st.sampled_from([*(role.value for role in Role), "Owner", "wizard"]),
    "expires_at": TIMES,
    "lease_seconds": st.integers(1, 5) | st.sampled_from([86_400, 86_401]),
    "grace_seconds": st.integers(-1, 1) | st.sampled_from([2_592_000, 2_592_001]),
    "starts_at": st.none() | TIMES,
    "features": st.dictionaries(NAMES, SCALARS, max_size=3),
    "groups": _GROUPS,
    "allowed_groups": st.none() | _GROUPS,
    "reservations": st.dictionaries(_GROUP_NAMES, st.integers(0, 3), max_size=3),
    "max_devices_per_user": st.none() | st.integers(0, 2),
    "overdraft_seats": st.integers(-1, 2),
    "idle_seconds": st.none() | st.sampled_from([59, 60, 86_400, 86_401]),
    "pool": st.none() | _GROUP_NAMES,
    "is_overdraft": _SWITCHES,
    "by_pool": st.dictionaries(_LICENSES, st.dictionaries(_GROUP_NAMES, WHOLE, max_size=2), max_size=2),
    "license_key": st.sampled_from(["", "  ", "KEY", "K" * 256, "K" * 257, "a\x00b"]),
    "license_id": _LICENSES,
    "user_id": _USERS,
    "started_at": TIMES,
    "last_heartbeat_at": TIMES,
    "lease_expires_at": TIMES,
    "ended_at": st.none() | TIMES,
    "end_reason": st.none() | st.sampled_from([*(reason.value for reason in EndReason), "bored"]),
    "expiry_shard": st.integers(-1, 8),
    "total": WHOLE,
    "grants": WHOLE,
    "by_license": st.dictionaries(_LICENSES, WHOLE, max_size=2),
    "grant_number": WHOLE,
    "type": st.sampled_from(["session.acquired", "session.denied", "session.released", "license.edited", "?"]),
    "at": TIMES,
    "details": _ATTEMPTS,
    "published_at": TIMES,
    "unpublished_shard": st.integers(-1, 16),
    "fields": st.dictionaries(st.sampled_from(["license_key", "created_at", "name", "?"]), TEXTS, max_size=3),
}
_DATES = ("created_at", "updated_at")
_EVENT = (
    "type",
    "at",
    "license_id",
    "session_id",
    "user_id",
    "grant_number",
    "details",
    "published_at",
    "unpublished_shard",
    "purge_at",
)
KNOWN: Mapping[str, tuple[str, ...]] = {
    "organization": (*OrganizationDocument.model_fields, *_DATES, "problems"),
    "user": (*UserDocument.model_fields, *_DATES, "problems"),
    "license": (*LicenseDocument.model_fields, *_DATES, "created_by", "problems"),
    "session": (*SessionDocument.model_fields, "expiry_shard", "purge_at"),
    "seats": (*SeatUseDocument.model_fields, "updated_at"),
    "event": _EVENT,
    "review": ("document", "fields", "problems", "reviewed_at", "user_id"),
}
"""The fields of each kind of document, those that no form has included."""

UNKNOWN = st.sampled_from(["note", "Seats", "maxConcurrentSeats", "isActive", "roles", "expires", "a.b", "`", "*", "é"])
"""Fields that no document has: an admin's own, and slips."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One document, and what the hand puts into it: beside what is there, or instead. ``None``: it is deleted."""

    document: str
    fields: Mapping[str, Any] | None
    instead: bool = False

    def after(self, before: Mapping[str, Any], console: firestore.Client) -> dict[str, Any]:
        """What is in the document then, of which this was there."""
        fields = {**({} if self.instead else before), **(self.fields or {})}
        return {name: _stored(value, console) for name, value in fields.items() if value is not Slip.GONE}

    def apply(
        self, reference: firestore.DocumentReference, console: firestore.Client, *, template: Mapping[str, Any]
    ) -> None:
        """Write it; a document that is not there is made from the template."""
        if self.fields is None:
            reference.delete()
            return
        reference.set(self.after(reference.get().to_dict() or template, console))


def _fields(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(KNOWN[kind]) | UNKNOWN
    pairs = names.flatmap(lambda name: st.tuples(st.just(name), _value(name)))
    return st.lists(pairs, min_size=1, max_size=3).map(dict)


def _value(name: str) -> st.SearchStrategy[Any]:
    if name not in _LIKELY:
        return ANYTHING
    # Not a union: it would be one of all kinds of values, and what is likely a rare one among them.
    return st.booleans().flatmap(lambda is_likely: _LIKELY[name] if is_likely else ANYTHING)


def edits(documents: Mapping[str, str], *, most: int = 4) -> st.SearchStrategy[Sequence[Edit]]:
    """Edits of some of these documents; the mapping says of which kind each one is."""

    def of(document: str) -> st.SearchStrategy[Edit]:
        fields = _fields(documents[document])
        beside = st.builds(Edit, document=st.just(document), fields=fields)
        instead = st.builds(Edit, document=st.just(document), fields=fields, instead=st.just(value=True))
        gone = st.just(Edit(document=document, fields=None))
        return st.one_of(beside, beside, beside, beside, instead, gone)

    return st.lists(st.sampled_from(sorted(documents)).flatmap(of), min_size=1, max_size=most)
