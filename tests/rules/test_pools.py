"""Pools: which seat a user gets where reservations divide the seats of a license, and which seats are overdraft."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules.license import License
from shared.rules.pools import FreeSeat, PoolUse, free_seat, overdraft_in_use, pools, reserved_for_others
from shared.rules.seat_use import SeatUse
from tests.rules.make import a_license

RESERVED = replace(a_license(seats=10), reservations={"design": 3, "render": 2})
"""Ten seats: three reserved for design, two for render, five common ones."""

COMMON = FreeSeat(pool=None, is_overdraft=False)


def in_use(common: int = 0, **pools_: int) -> SeatUse:
    """Seats of the license that are in use: common ones, and those that were taken from a group's reservation."""
    by_pool = {("cad", group): seats for group, seats in pools_.items()}
    return SeatUse(by_license={"cad": common + sum(pools_.values())}, by_pool=by_pool)


# Which seat


def test_without_reservations_every_seat_is_a_common_one_until_the_cap() -> None:
    license_ = a_license(seats=2)

    seats = [free_seat(license_, ["design"], in_use(common)) for common in range(3)]

    assert seats == [COMMON, COMMON, None]


@pytest.mark.parametrize(
    ("groups", "use", "pool"),
    [
        ([], in_use(), None),
        (["sales"], in_use(), None),
        (["design"], in_use(), "design"),
        (["render", "design"], in_use(), "render"),
        (["sales", "design"], in_use(), "design"),
        (["render", "design"], in_use(render=2), "design"),
        (["design"], in_use(design=3), None),
        (["render", "design"], in_use(design=3, render=2), None),
        (["design"], in_use(common=5), "design"),
    ],
    ids=[
        "of no group: a common one",
        "of a group without a reservation: a common one",
        "of a group: a reserved one",
        "of two groups: one of the first",
        "of two groups: one of that which has any",
        "of two groups, the first full: one of the second",
        "of a group whose seats are in use: a common one",
        "of two groups whose seats are in use: a common one",
        "all common ones in use: a reserved one",
    ],
)
def test_a_user_gets_a_reserved_seat_of_the_first_group_that_has_one_else_a_common_one(
    groups: Sequence[str], use: SeatUse, pool: str | None
) -> None:
    assert free_seat(RESERVED, groups, use) == FreeSeat(pool=pool, is_overdraft=False)


@pytest.mark.parametrize("groups", [[], ["sales"], ["render"]])
def test_a_seat_that_is_reserved_for_others_is_given_to_nobody_else(groups: Sequence[str]) -> None:
    assert free_seat(RESERVED, groups, in_use(common=5, render=2)) is None


def test_reservations_that_take_all_seats_leave_no_common_one() -> None:
    license_ = replace(a_license(seats=5), reservations={"design": 3, "render": 2})

    assert free_seat(license_, ["sales"], in_use()) is None
    assert free_seat(license_, ["design"], in_use(render=2)) == FreeSeat(pool="design", is_overdraft=False)


def test_the_pools_of_another_license_fill_none_of_this_one() -> None:
    use = SeatUse(by_license={"render": 9}, by_pool={("render", "design"): 9})

    assert free_seat(RESERVED, ["design"], use) == FreeSeat(pool="design", is_overdraft=False)


# Overdraft


def test_overdraft_seats_come_after_the_licenses_own_and_are_marked() -> None:
    license_ = replace(a_license(seats=2), overdraft_seats=2)

    seats = [free_seat(license_, [], in_use(common)) for common in range(5)]

    overdraft = FreeSeat(pool=None, is_overdraft=True)
    assert seats == [COMMON, COMMON, overdraft, overdraft, None]


def test_a_common_seat_above_the_common_pools_own_is_overdraft_while_reserved_ones_are_free() -> None:
    license_ = replace(RESERVED, overdraft_seats=1)

    seats = [free_seat(license_, [], in_use(common)) for common in (4, 5, 6)]

    assert seats == [COMMON, FreeSeat(pool=None, is_overdraft=True), None]


def test_overdraft_given_to_others_takes_no_reserved_seat_away() -> None:
    license_ = replace(RESERVED, overdraft_seats=2)

    seats = [free_seat(license_, ["design"], in_use(7, design=design, render=2)) for design in range(4)]

    assert [None if seat is None else seat.pool for seat in seats] == ["design", "design", "design", None]


def test_a_reserved_seat_is_overdraft_if_all_own_seats_of_the_license_are_in_use() -> None:
    license_ = replace(RESERVED, overdraft_seats=2)

    own, above = (free_seat(license_, ["design"], in_use(common, design=2, render=2)) for common in (5, 6))

    assert (own, above) == (FreeSeat(pool="design", is_overdraft=False), FreeSeat(pool="design", is_overdraft=True))


@pytest.mark.parametrize(
    ("use", "overdraft"),
    [
        (in_use(5, design=3, render=2), 0),
        (in_use(6), 1),
        (in_use(7, design=3, render=2), 2),
        (in_use(5, design=4, render=2), 1),
        (in_use(20), 2),
    ],
    ids=[
        "all own seats",
        "one above the common pool",
        "two above the license",
        "a group above its reservation, which was lowered",
        "far above, after an edit: no more than the license has",
    ],
)
def test_overdraft_in_use_is_what_is_above_the_license_or_its_common_pool(use: SeatUse, overdraft: int) -> None:
    assert overdraft_in_use(replace(RESERVED, overdraft_seats=2), use) == overdraft


def test_a_license_without_overdraft_has_none_in_use_though_an_admin_lowered_its_cap() -> None:
    assert overdraft_in_use(a_license(seats=2), in_use(5)) == 0


# Edits while seats are in use


def test_what_a_group_holds_beyond_a_lowered_reservation_counts_as_common() -> None:
    license_ = replace(RESERVED, reservations={"design": 1, "render": 2})  # seven common ones

    seats = [free_seat(license_, [], in_use(common, design=3)) for common in (4, 5)]

    assert seats == [COMMON, None]


def test_what_a_group_holds_of_a_reservation_that_is_gone_counts_as_common() -> None:
    license_ = replace(RESERVED, reservations={"render": 2})  # eight common ones

    seats = [free_seat(license_, ["design"], in_use(common, design=3)) for common in (4, 5)]

    assert seats == [COMMON, None]


def test_a_reservation_raised_above_what_is_free_gives_no_seat_twice() -> None:
    license_ = replace(RESERVED, reservations={"design": 8})

    seats = [free_seat(license_, ["design"], in_use(common, design=3)) for common in (6, 7)]

    assert seats == [FreeSeat(pool="design", is_overdraft=False), None]


def test_reservations_above_the_cap_leave_the_cap_as_it_is() -> None:
    license_ = replace(a_license(seats=4), reservations={"design": 3, "render": 3})

    seats = [free_seat(license_, ["render"], in_use(design=3, render=render)) for render in (0, 1)]

    assert seats == [FreeSeat(pool="render", is_overdraft=False), None]


# What is told


def test_the_pools_are_told_by_group_with_the_common_one_last() -> None:
    assert pools(RESERVED, in_use(4, render=1)) == (
        PoolUse(group="design", in_use=0, max_seats=3),
        PoolUse(group="render", in_use=1, max_seats=2),
        PoolUse(group=None, in_use=4, max_seats=5),
    )


def test_a_license_without_reservations_has_no_pools_to_tell_of() -> None:
    assert pools(a_license(), in_use(3)) == ()


@pytest.mark.parametrize(
    ("groups", "use", "others"),
    [
        ([], in_use(5), 5),
        (["design"], in_use(5, design=3), 2),
        (["design", "render"], in_use(5, design=3, render=2), 0),
        ([], in_use(9, design=1), 0),
        ([], in_use(12), 0),
        ([], in_use(8), 2),
    ],
    ids=[
        "of no group: all that are free",
        "of a group: those of the other one",
        "of all groups: none",
        "reserved while they were in use: none is free",
        "above a lowered cap: none is free",
        "some of them in use: the rest",
    ],
)
def test_a_refused_user_is_told_how_many_free_seats_are_reserved_for_others(
    groups: Sequence[str], use: SeatUse, others: int
) -> None:
    assert reserved_for_others(RESERVED, groups, use) == others


_GROUPS = ["design", "render", "sales"]
_LICENSES = st.builds(
    lambda seats, reservations, overdraft: replace(
        a_license(seats=seats), reservations=reservations, overdraft_seats=overdraft
    ),
    st.integers(0, 8),
    st.dictionaries(st.sampled_from(_GROUPS), st.integers(1, 5)),
    st.integers(0, 3),
)
_USES = st.builds(
    lambda common, by_group: in_use(common, **by_group),
    st.integers(0, 8),
    st.dictionaries(st.sampled_from(_GROUPS), st.integers(1, 5)),
)


@settings(max_examples=200)
@given(license_=_LICENSES, use=_USES)
def test_the_pools_together_are_the_license_whatever_an_admin_edited(license_: License, use: SeatUse) -> None:
    told = pools(license_, use)

    if told:
        assert sum(pool.in_use for pool in told) == use.of("cad")
        assert all(0 <= pool.in_use <= pool.max_seats for pool in told if pool.group is not None)
    assert 0 <= overdraft_in_use(license_, use) <= license_.overdraft_seats
    assert 0 <= reserved_for_others(license_, [], use) <= sum(license_.reservations.values())
