"""Review: what an admin is told of a document whose fields are right each for itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.rules.review import Level, license_problems, organization_problems
from shared.rules.seat_use import SeatUse
from tests.rules.make import a_license, an_organization

FULL = SeatUse(by_license={"cad": 5, "render": 2})


def test_an_organization_with_room_is_told_nothing() -> None:
    problems = [organization_problems(an_organization(seats=cap), use=FULL) for cap in (None, 7, 8)]

    assert problems == [[], [], []]


def test_a_cap_of_an_organization_below_what_is_in_use_is_a_notice() -> None:
    (problem,) = organization_problems(an_organization(seats=6), use=FULL)

    assert (problem.field, problem.level) == ("max_concurrent_seats", Level.NOTICE)
    assert problem.found == "6, but 7 seats were in use when this was checked"


def test_a_license_with_room_is_told_nothing() -> None:
    problems = license_problems(a_license(seats=5), organization=an_organization(seats=5), use=FULL, same_key=())

    assert problems == []


def test_a_cap_of_a_license_below_what_is_in_use_is_a_notice() -> None:
    (problem,) = license_problems(a_license(seats=4), organization=None, use=FULL, same_key=())

    assert (problem.field, problem.level) == ("max_concurrent_seats", Level.NOTICE)
    assert problem.found == "4, but 5 seats were in use when this was checked"


def test_seats_of_other_licenses_do_not_count_for_a_license() -> None:
    problems = license_problems(a_license("render", seats=2), organization=None, use=FULL, same_key=())

    assert problems == []


def test_more_seats_than_the_organization_may_use_are_a_notice() -> None:
    (problem,) = license_problems(
        a_license(seats=20), organization=an_organization(seats=5), use=SeatUse(), same_key=()
    )

    assert (problem.field, problem.level) == ("max_concurrent_seats", Level.NOTICE)
    assert problem.found == "20 seats, but the organization may use only 5 over all its licenses"


def test_an_organization_without_a_cap_or_that_cannot_be_used_limits_no_license() -> None:
    problems = [
        license_problems(a_license(seats=20), organization=organization, use=SeatUse(), same_key=())
        for organization in (an_organization(seats=None), None)
    ]

    assert problems == [[], []]


def test_a_key_that_others_have_is_an_error_that_names_them() -> None:
    (problem,) = license_problems(a_license(), organization=None, use=SeatUse(), same_key=["render", "cad-2"])

    assert (problem.field, problem.level) == ("license_key", Level.ERROR)
    assert problem.found == "the same key as these licenses: cad-2, render"


@pytest.mark.parametrize("key", [" ABC", "ABC ", "\u00a0ABC"])
def test_a_key_with_blanks_around_it_is_a_notice(key: str) -> None:
    license_ = replace(a_license(), license_key=key)

    (problem,) = license_problems(license_, organization=None, use=SeatUse(), same_key=())

    assert (problem.field, problem.level) == ("license_key", Level.NOTICE)


def test_a_grace_of_more_than_a_day_is_a_notice_that_says_what_it_gives_away() -> None:
    license_ = a_license(grace_for=timedelta(days=1, seconds=1))

    (problem,) = license_problems(license_, organization=None, use=SeatUse(), same_key=())

    assert (problem.field, problem.level) == ("grace_seconds", Level.NOTICE)
    assert problem.found.startswith("86401 seconds: each program that has held a seat for one lease")


def test_a_grace_of_a_day_is_no_notice() -> None:
    license_ = a_license(grace_for=timedelta(days=1))

    assert license_problems(license_, organization=None, use=SeatUse(), same_key=()) == []


def test_several_problems_are_told_together() -> None:
    problems = license_problems(
        a_license(seats=4), organization=an_organization(seats=3), use=FULL, same_key=["render"]
    )

    assert [problem.field for problem in problems] == ["license_key", *["max_concurrent_seats"] * 2]
