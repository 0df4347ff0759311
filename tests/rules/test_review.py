"""Review: what an admin is told of a document whose fields are right each for itself."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.rules.license import License
from shared.rules.organization import slug_of
from shared.rules.review import Level, Problem, license_problems, organization_problems, slug_problems, without_owner
from shared.rules.seat_use import SeatUse
from shared.rules.user import Role
from tests.rules.make import INSTANT, NOW, a_license, a_user, an_organization

FULL = SeatUse(by_license={"cad": 5, "render": 2})


def test_an_organization_with_room_is_told_nothing() -> None:
    problems = [organization_problems(an_organization(seats=cap), use=FULL) for cap in (None, 7, 8)]

    assert problems == [[], [], []]


def test_a_cap_of_an_organization_below_what_is_in_use_is_a_notice() -> None:
    (problem,) = organization_problems(an_organization(seats=6), use=FULL)

    assert (problem.field, problem.level) == ("max_concurrent_seats", Level.NOTICE)
    assert problem.found == "6, but 7 seats were in use when this was checked"


def test_a_license_with_room_is_told_nothing() -> None:
    problems = license_problems(
        a_license(seats=5), organization=an_organization(seats=5), use=FULL, same_key=(), now=NOW
    )

    assert problems == []


def test_a_cap_of_a_license_below_what_is_in_use_is_a_notice() -> None:
    (problem,) = license_problems(a_license(seats=4), organization=None, use=FULL, same_key=(), now=NOW)

    assert (problem.field, problem.level) == ("max_concurrent_seats", Level.NOTICE)
    assert problem.found == "4, but 5 seats were in use when this was checked"


def test_seats_of_other_licenses_do_not_count_for_a_license() -> None:
    problems = license_problems(a_license("render", seats=2), organization=None, use=FULL, same_key=(), now=NOW)

    assert problems == []


def test_more_seats_than_the_organization_may_use_are_a_notice() -> None:
    (problem,) = license_problems(
        a_license(seats=20), organization=an_organization(seats=5), use=SeatUse(), same_key=(), now=NOW
    )

    assert (problem.field, problem.level) == ("max_concurrent_seats", Level.NOTICE)
    assert problem.found == "20 seats, but the organization may use only 5 over all its licenses"


def test_an_organization_without_a_cap_or_that_cannot_be_used_limits_no_license() -> None:
    problems = [
        license_problems(a_license(seats=20), organization=organization, use=SeatUse(), same_key=(), now=NOW)
        for organization in (an_organization(seats=None), None)
    ]

    assert problems == [[], []]


def test_a_key_that_others_have_is_an_error_that_names_them() -> None:
    (problem,) = license_problems(a_license(), organization=None, use=SeatUse(), same_key=["render", "cad-2"], now=NOW)

    assert (problem.field, problem.level) == ("license_key", Level.ERROR)
    assert problem.found == "the same key as these licenses: cad-2, render"


def test_a_grace_of_more_than_a_day_is_a_notice_that_says_what_it_gives_away() -> None:
    license_ = a_license(grace_for=timedelta(days=1, seconds=1))

    (problem,) = license_problems(license_, organization=None, use=SeatUse(), same_key=(), now=NOW)

    assert (problem.field, problem.level) == ("grace_seconds", Level.NOTICE)
    assert problem.found.startswith("86401 seconds: each program that has held a seat for one lease")


def test_a_grace_of_a_day_is_no_notice() -> None:
    license_ = a_license(grace_for=timedelta(days=1))

    assert license_problems(license_, organization=None, use=SeatUse(), same_key=(), now=NOW) == []


def test_several_problems_are_told_together() -> None:
    problems = license_problems(
        a_license(seats=4), organization=an_organization(seats=3), use=FULL, same_key=["render"], now=NOW
    )

    assert [problem.field for problem in problems] == ["license_key", *["max_concurrent_seats"] * 2]


def test_a_cap_that_was_filled_in_is_told_with_what_null_means() -> None:
    (problem,) = organization_problems(an_organization(seats=5), use=SeatUse(), is_cap_filled_in=True)

    assert (problem.field, problem.level) == ("max_concurrent_seats", Level.NOTICE)
    assert problem.found.startswith("5, filled in because it was left out")
    assert "null: only the licenses' own caps count" in problem.expected


def test_a_contract_that_has_ended_is_a_notice_from_its_last_instant_on() -> None:
    license_ = replace(a_license(), expires_at=NOW)

    before, at = (
        license_problems(license_, organization=None, use=SeatUse(), same_key=(), now=now)
        for now in (NOW - INSTANT, NOW)
    )

    assert before == []
    assert [(each.field, each.level) for each in at] == [("expires_at", Level.NOTICE)]
    assert "2026-03-02 09:00 UTC" in at[0].found


def terms(license_: License, *, seats: int | None = None, unused_groups: Sequence[str] = ()) -> list[Problem]:
    """The problems of a license's terms, of an organization with this cap."""
    return license_problems(
        license_,
        organization=an_organization(seats=seats),
        use=SeatUse(),
        same_key=(),
        unused_groups=unused_groups,
        now=NOW,
    )


def test_terms_that_fit_are_told_nothing() -> None:
    license_ = replace(
        a_license(seats=5),
        starts_at=NOW,
        expires_at=NOW + INSTANT,
        reservations={"design": 3, "render": 2},
        allowed_groups=frozenset({"design", "render", "other"}),
        overdraft_seats=2,
        max_devices_per_user=1,
        idle_for=a_license().heartbeat_every,
        borrow_for=timedelta(days=30),
        max_borrowed_seats=5,
    )

    assert terms(license_, seats=7) == []


def test_a_start_to_come_is_a_notice() -> None:
    (problem,) = terms(replace(a_license(), starts_at=NOW + INSTANT))

    assert (problem.field, problem.level) == ("starts_at", Level.NOTICE)
    assert problem.found == "2026-03-02 09:00 UTC: the license gives no seat before"


@pytest.mark.parametrize("starts_at", [NOW + timedelta(days=1), NOW + timedelta(days=2)])
def test_a_start_that_is_not_before_the_end_is_an_error(starts_at: datetime) -> None:
    (problem,) = terms(replace(a_license(), starts_at=starts_at, expires_at=NOW + timedelta(days=1)))

    assert (problem.field, problem.level) == ("starts_at", Level.ERROR)
    assert "not before expires_at (2026-03-03 09:00 UTC)" in problem.found


def test_reservations_of_more_seats_than_there_are_are_a_notice() -> None:
    (problem,) = terms(replace(a_license(seats=4), reservations={"design": 3, "render": 2}))

    assert (problem.field, problem.level) == ("reservations", Level.NOTICE)
    assert problem.found == "5 seats in all, but the license has 4"


def test_seats_for_a_group_that_is_not_allowed_are_a_notice() -> None:
    license_ = replace(a_license(), reservations={"design": 1, "render": 1}, allowed_groups=frozenset({"render"}))

    (problem,) = terms(license_)

    assert (problem.field, problem.level) == ("reservations", Level.NOTICE)
    assert problem.found == 'seats for "design", which allowed_groups leaves out: no user gets them'


def test_a_license_for_no_group_at_all_is_an_error() -> None:
    (problem,) = terms(replace(a_license(), allowed_groups=frozenset()))

    assert (problem.field, problem.level) == ("allowed_groups", Level.ERROR)


def test_groups_that_no_user_has_are_a_notice_in_each_field_that_names_them() -> None:
    license_ = replace(
        a_license(), reservations={"b": 1, "c": 1, "a": 1}, allowed_groups=frozenset({"a", "b", "c", "d"})
    )

    problems = terms(license_, unused_groups=["d", "b", "a"])

    assert [(each.field, each.level) for each in problems] == [
        ("allowed_groups", Level.NOTICE),
        ("reservations", Level.NOTICE),
    ]
    assert [each.found.partition(", which")[0] for each in problems] == ['"a", "b", "d"', '"a", "b"']


@pytest.mark.parametrize(
    ("lends", "field", "found"),
    [
        ({"max_borrowed_seats": 2}, "max_borrowed_seats", "2, but max_borrow_seconds is 0: no seat is lent"),
        (
            {"borrow_for": timedelta(days=7), "max_borrowed_seats": 6},
            "max_borrowed_seats",
            "6, but the license has 5 seats: all of them may be away",
        ),
        ({"borrow_for": timedelta(days=31)}, "max_borrow_seconds", "31 days: a lost device may work on for so long"),
    ],
)
def test_terms_of_borrowing_that_an_admin_may_not_mean_are_a_notice(
    lends: dict[str, Any], field: str, found: str
) -> None:
    (problem,) = terms(replace(a_license(seats=5), **lends))

    assert (problem.field, problem.level, problem.found) == (field, Level.NOTICE, found)


def test_overdraft_that_the_organizations_cap_does_not_allow_is_a_notice() -> None:
    (problem,) = terms(replace(a_license(seats=5), overdraft_seats=3), seats=6)

    assert (problem.field, problem.level) == ("overdraft_seats", Level.NOTICE)
    assert problem.found == "3, but 2 are never given: the organization may use only 6 seats"
    assert problem.expected.startswith("at most 1,")


def test_an_idle_time_shorter_than_the_pause_between_heartbeats_is_a_notice() -> None:
    (problem,) = terms(replace(a_license(), idle_for=a_license().heartbeat_every - INSTANT))

    assert (problem.field, problem.level) == ("idle_seconds", Level.NOTICE)
    assert "a program asks only every 120 seconds" in problem.found


@pytest.mark.parametrize("slug", ["acme", "acme-2", "2", "a" * 100])
def test_a_slug_is_small_letters_digits_and_hyphens(slug: str) -> None:
    assert slug_problems(slug, is_taken=False) == []
    assert [each.level for each in slug_problems(slug, is_taken=True)] == [Level.NOTICE]


@pytest.mark.parametrize("slug", ["", "Acme", "ac me", "acme-", "-acme", "a--b", "acmé", "a" * 101, "acme\n"])
def test_what_is_no_slug_is_a_notice(slug: str) -> None:
    (problem,) = slug_problems(slug, is_taken=False)

    assert (problem.field, problem.level) == ("slug", Level.NOTICE)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Harbor Studio", "harbor-studio"),
        ("  Müller & Söhne GmbH  ", "muller-sohne-gmbh"),
        ("Straße 7", "strasse-7"),
        ("x" * 99 + " yz", "x" * 99),
        ("東京", None),
        ("", None),
    ],
)
def test_a_slug_is_made_from_a_name(name: str, slug: str | None) -> None:
    assert slug_of(name) == slug


@pytest.mark.parametrize(("role", "is_active", "field"), [(Role.OWNER, False, "is_active"), (Role.GUEST, True, "role")])
def test_the_last_owner_is_told_by_the_field_that_was_changed(role: Role, is_active: bool, field: str) -> None:  # noqa: FBT001 a table of cases
    problem = without_owner(replace(a_user(role=role), is_active=is_active))

    assert (problem.field, problem.level) == (field, Level.NOTICE)
