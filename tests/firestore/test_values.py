"""Values on the wire: whatever we write comes back the same, and what we never write is told apart."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.cloud import firestore
from hypothesis import given
from hypothesis import strategies as st

from shared.firestore.values import Opaque, Plain, WireValue, decode, encode_into, is_opaque
from tests.support.connections import WatchedFirestore

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 bounds are naive
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_every_plain_value_survives_the_wire(value: Plain) -> None:
    wire = WireValue()

    encode_into(wire, value)

    assert decode(WireValue.FromString(wire.SerializeToString())) == value


def test_a_time_in_another_zone_is_the_same_instant() -> None:
    wire, there = WireValue(), datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))

    encode_into(wire, there)

    assert decode(wire) == there
    assert decode(wire).tzinfo == UTC


@pytest.mark.parametrize(
    ("value", "kind"),
    [(b"bytes", "bytes_value"), (firestore.GeoPoint(1, 2), "geo_point_value")],
    ids=["bytes", "place"],
)
async def test_what_we_never_write_is_opaque(
    store: WatchedFirestore, console: firestore.Client, value: object, kind: str
) -> None:
    console.document("organizations/o").set({"x": value})

    document = (await store.read(["organizations/o"])).documents["organizations/o"]

    assert document is not None
    assert document.fields["x"] == Opaque(kind)


@pytest.mark.parametrize(
    ("value", "holds_one"),
    [
        (Opaque("bytes_value"), True),
        ({"a": {"b": [1, Opaque("bytes_value")]}}, True),
        ([[], [Opaque("reference_value")]], True),
        ({"a": [1, "b", None]}, False),
        ("text", False),
        (None, False),
    ],
)
def test_a_value_that_cannot_be_encoded_again_is_found_wherever_it_is(value: object, *, holds_one: bool) -> None:
    assert is_opaque(value) == holds_one
