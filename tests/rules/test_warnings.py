"""Warnings: what owners and admins are told before their users tell them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.rules.license import License
from shared.rules.warnings import (
    ENDS_WITHIN,
    SeatsNow,
    SeatWarning,
    WarningCode,
    is_nearly_full,
    seat_warnings,
)
from tests.rules.make import INSTANT, NOW, a_license, an_organization

DAY = timedelta(days=1)
TEN = a_license(seats=10)


def seats(
    license_: License = TEN,
    *,
    in_use: int = 0,
    waiting: int = 0,
    held_long: int = 0,
    denied_today: int = 0,
    borrowed_until: Sequence[datetime] = (),
) -> SeatsNow:
    return SeatsNow(
        license=license_,
        in_use=in_use,
        waiting=waiting,
        held_long=held_long,
        denied_today=denied_today,
        borrowed_until=borrowed_until,
    )


def _warnings(*licenses: SeatsNow, cap: int | None = None) -> tuple[SeatWarning, ...]:
    in_use = sum(each.in_use for each in licenses)
    return seat_warnings(an_organization(seats=cap), licenses, in_use=in_use, now=NOW)


def _told(*licenses: SeatsNow, cap: int | None = None) -> list[tuple[str, int]]:
    return [(each.code.value, each.number) for each in _warnings(*licenses, cap=cap)]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        pytest.param(seats(in_use=10), [("FULL", 0)], id="full"),
        pytest.param(seats(in_use=10, waiting=3), [("FULL", 3)], id="full, and users wait"),
        pytest.param(seats(in_use=12), [("FULL", 0)], id="over a cap that was lowered"),
        pytest.param(seats(in_use=10, held_long=10), [("FULL", 0)], id="full for long is said once"),
        pytest.param(seats(in_use=9, held_long=7), [], id="not yet for 15 minutes"),
        pytest.param(seats(in_use=9, held_long=8), [("NEARLY_FULL", 90)], id="80 % for 15 minutes"),
        pytest.param(seats(in_use=7, held_long=8), [], id="no longer, though the leases still stand"),
        pytest.param(seats(replace(TEN, overdraft_seats=2), in_use=11), [], id="overdraft is left"),
        pytest.param(
            seats(replace(TEN, overdraft_seats=2), in_use=11, held_long=11), [("NEARLY_FULL", 110)], id="in overdraft"
        ),
        pytest.param(seats(replace(TEN, overdraft_seats=2), in_use=12), [("FULL", 0)], id="overdraft is used up"),
        pytest.param(seats(replace(TEN, max_concurrent_seats=0)), [], id="no seats were sold"),
        pytest.param(seats(replace(TEN, is_active=False), in_use=10), [], id="gives no seats: inactive"),
        pytest.param(seats(replace(TEN, expires_at=NOW), in_use=10), [], id="gives no seats: over"),
        pytest.param(seats(replace(TEN, starts_at=NOW + INSTANT), in_use=10), [], id="gives no seats: not begun"),
        pytest.param(seats(denied_today=4), [("DENIED_TODAY", 4)], id="denied"),
    ],
)
def test_a_license_warns_when_its_seats_run_out(now: SeatsNow, told: list[tuple[str, int]]) -> None:
    assert _told(now) == told


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (ENDS_WITHIN + INSTANT, None),
        (ENDS_WITHIN, 30),
        (13 * DAY + INSTANT, 14),
        (7 * DAY, 7),
        (DAY + INSTANT, 2),
        (DAY, 1),
        (INSTANT, 1),
        (0 * DAY, None),
    ],
)
def test_the_end_of_a_contract_is_announced_for_thirty_days_with_the_days_left(
    left: timedelta, days: int | None
) -> None:
    license_ = replace(TEN, expires_at=NOW + left)

    told = [(each.code, each.number, each.at) for each in _warnings(seats(license_))]

    assert told == ([] if days is None else [(WarningCode.LICENSE_ENDS, days, NOW + left)])


def test_borrowed_seats_that_end_within_a_day_are_counted_with_the_first_end() -> None:
    ends = [NOW + 3 * DAY, NOW + DAY, NOW + DAY / 2, NOW + DAY + INSTANT]

    (warning,) = _warnings(seats(borrowed_until=ends))

    assert (warning.code, warning.number, warning.at) == (WarningCode.BORROWED_END_TODAY, 2, NOW + DAY / 2)


def test_a_full_organization_warns_of_all_who_wait_and_comes_before_what_is_less_urgent() -> None:
    ending = seats(replace(TEN, expires_at=NOW + DAY), in_use=4, waiting=1, denied_today=1)
    other = seats(a_license("render", seats=9), in_use=2, waiting=2)

    told = [(each.code.value, each.license_id, each.number) for each in _warnings(ending, other, cap=6)]

    assert told == [("FULL", None, 3), ("DENIED_TODAY", "cad", 1), ("LICENSE_ENDS", "cad", 1)]


def test_a_warning_says_in_a_sentence_what_its_number_is() -> None:
    busy = replace(TEN, name="Studio", expires_at=NOW + 7 * DAY)

    first = _warnings(seats(busy, in_use=10, waiting=1, denied_today=2, borrowed_until=[NOW + DAY]))
    second = _warnings(seats(TEN, in_use=9, held_long=9))

    assert [each.message for each in (*first, *second)] == [
        "All 10 seats of Studio are in use. 1 user waits for one.",
        "2 users got no seat of Studio today, because all were in use.",
        "Studio ends in 7 days.",
        "1 borrowed seat ends within a day: Studio.",
        "CAD has 9 of 10 seats in use, and has been that busy for 15 minutes.",
    ]


@pytest.mark.parametrize(("in_use", "is_asked"), [(7, False), (8, True), (9, True), (10, False)])
def test_for_how_long_it_was_busy_matters_only_to_a_license_that_is_nearly_full(in_use: int, *, is_asked: bool) -> None:
    assert is_nearly_full(TEN, in_use=in_use) is is_asked
