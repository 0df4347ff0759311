"""The line: which user gets the next seat, how often a program asks, and when a place counts no more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.rules.acquire import (
    AcquireOutcome,
    Granted,
    OrganizationSeatLimitReached,
    Queued,
    Renewed,
    SeatLimitReached,
    Standing,
    acquire,
)
from shared.rules.license import License
from shared.rules.line import (
    MAX_PLACES,
    MAX_PLACES_OF_USER,
    MAX_WAIT,
    GaveUp,
    Line,
    PlaceInLine,
    WaitTooLong,
    WaitTooShort,
    counts,
    gave_up_because,
    interval_at,
)
from shared.rules.refusal import SessionNotFound
from shared.rules.release import LeftTheLine, ReleaseOutcome, release
from shared.rules.release import Standing as ReleaseStanding
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason, Session, ended
from shared.rules.user import Role
from tests.rules.make import INSTANT, NOW, a_device, a_license, a_place, a_session, a_user, an_organization

AN_HOUR = NOW + timedelta(hours=1)
CAD = a_license(seats=2)


def before(
    number: int, *, license_id: str = "cad", groups: tuple[str, ...] = (), asked_at: datetime | None = None
) -> PlaceInLine:
    """The place of a user who came a minute before now, or a little later."""
    place = a_place(f"u{number}", license_id=license_id, groups=groups)
    since = NOW - timedelta(minutes=1) + number * INSTANT
    return replace(place, since=since, asked_at=asked_at or place.asked_at)


def asked(
    user_id: str = "ann",
    *,
    license_: License = CAD,
    in_use: int = 2,
    use: SeatUse | None = None,
    places: Sequence[PlaceInLine] = (),
    others: Sequence[License] = (),
    cap: int | None = None,
    groups: tuple[str, ...] = (),
    wait_until: datetime | None = AN_HOUR,
    hardware_id: str = "laptop",
) -> AcquireOutcome:
    standing = Standing(
        organization=an_organization(seats=cap),
        user=replace(a_user(user_id), groups=groups),
        license=license_,
        session=None,
        use=use or SeatUse(by_license={license_.license_id: in_use}),
        line=Line(places=tuple(places), licenses={each.license_id: each for each in (license_, *others)}),
    )
    return acquire(standing, a_device(hardware_id), now=NOW, wait_until=wait_until)


def queued(outcome: AcquireOutcome) -> Queued:
    assert isinstance(outcome, Queued), outcome
    return outcome


def test_a_user_who_waits_gets_a_seat_at_once_if_there_is_one() -> None:
    outcome = asked(in_use=1)

    assert isinstance(outcome, Granted)
    assert outcome.waited_for is None


def test_without_a_seat_the_user_gets_the_last_place_and_is_told_when_to_ask_again() -> None:
    turn = queued(asked(places=[before(1), before(2)])).turn

    assert (turn.position, turn.of) == (3, 3)
    assert turn.ask_again_for == timedelta(seconds=8)
    assert turn.place.since == turn.place.asked_at == NOW
    assert turn.place.counts_until == NOW + timedelta(seconds=20)


def test_two_users_who_come_at_the_same_instant_have_an_order() -> None:
    first = queued(asked("ann")).turn.place

    second = queued(asked("bob", places=[first])).turn

    assert second.position == 2
    assert second.place.since == first.since + INSTANT


def test_a_newcomer_is_behind_all_who_wait_also_without_waiting() -> None:
    outcome = asked(in_use=1, places=[before(1)], wait_until=None)

    assert outcome == SeatLimitReached(license_id="cad", in_use=1, max_seats=2, waiting=1, for_waiting=1)


def test_of_two_free_seats_the_second_place_may_take_one_before_the_first_asks() -> None:
    places = [before(1), before(2), before(3)]

    second, third = (asked(f"u{number}", in_use=0, places=places) for number in (2, 3))

    assert isinstance(second, Granted)
    assert second.waited_for == NOW - places[1].since
    assert queued(third).turn.position == 3


def test_a_user_on_another_device_is_another_one_in_the_line() -> None:
    outcome = asked("u1", in_use=1, places=[before(1)], hardware_id="desktop")

    assert queued(outcome).turn.position == 2


def test_a_seat_that_is_reserved_for_another_group_holds_up_nobody_of_it() -> None:
    design = replace(CAD, reservations={"design": 1})
    use = SeatUse(by_license={"cad": 1})  # the common one

    in_group, other = (
        asked(license_=design, use=use, places=[before(1)], groups=groups) for groups in (("design",), ())
    )

    assert isinstance(in_group, Granted)
    assert in_group.session.pool == "design"
    assert queued(other).turn.position == 2


def test_a_place_of_the_group_comes_first_in_its_pool() -> None:
    design = replace(CAD, reservations={"design": 1})
    use = SeatUse(by_license={"cad": 1})

    outcome = asked(license_=design, use=use, places=[before(1, groups=("design",))], groups=("design",))

    assert queued(outcome).turn.position == 2


def test_a_license_that_gives_no_seat_to_a_place_holds_up_nobody() -> None:
    only_design = replace(CAD, allowed_groups=frozenset({"design"}))

    outcome = asked(license_=only_design, in_use=1, places=[before(1)], groups=("design",))

    assert isinstance(outcome, Granted)


def test_the_organizations_cap_serves_the_oldest_place_of_all_licenses() -> None:
    viewer = a_license("viewer", seats=5)
    use = SeatUse(by_license={"cad": 1, "viewer": 1})

    outcome = asked(use=use, cap=3, others=[viewer], places=[before(1, license_id="viewer")])

    assert queued(outcome).refusal == OrganizationSeatLimitReached(in_use=2, max_seats=3, for_waiting=1)
    assert queued(outcome).turn.position == 1


def test_a_place_for_a_full_license_does_not_hold_up_the_organizations_other_licenses() -> None:
    viewer = a_license("viewer", seats=1)
    use = SeatUse(by_license={"cad": 1, "viewer": 1})

    outcome = asked(use=use, cap=3, others=[viewer], places=[before(1, license_id="viewer")])

    assert isinstance(outcome, Granted)


def test_without_a_cap_of_the_organization_the_line_of_another_license_does_not_matter() -> None:
    viewer = a_license("viewer", seats=5)

    outcome = asked(in_use=1, others=[viewer], places=[before(1, license_id="viewer")])

    assert isinstance(outcome, Granted)


def test_a_held_seat_is_renewed_whoever_waits() -> None:
    standing = Standing(
        organization=an_organization(),
        user=a_user(),
        license=CAD,
        session=a_session(),
        use=SeatUse(by_license={"cad": 2}),
        line=Line(places=(before(1),), licenses={"cad": CAD}),
    )

    outcome = acquire(standing, a_device(), now=NOW, wait_until=NOW - timedelta(days=1))

    assert isinstance(outcome, Renewed)


@pytest.mark.parametrize(
    ("until", "outcome"),
    [
        (NOW, WaitTooShort()),
        (NOW + MAX_WAIT + INSTANT, WaitTooLong(latest=NOW + MAX_WAIT)),
    ],
)
def test_nobody_waits_until_a_time_that_has_passed_or_for_more_than_four_hours(
    until: datetime, outcome: AcquireOutcome
) -> None:
    assert asked(wait_until=until) == outcome


def test_a_user_whose_time_to_wait_has_passed_gets_a_seat_if_there_is_one() -> None:
    assert isinstance(asked(in_use=1, wait_until=NOW), Granted)


@pytest.mark.parametrize(
    ("position", "free", "seconds"), [(1, 0, 5), (2, 0, 5), (3, 0, 8), (7, 5, 5), (25, 0, 30), (1_000, 0, 30)]
)
def test_the_sooner_its_turn_the_more_often_a_place_asks(position: int, free: int, seconds: int) -> None:
    assert interval_at(position, free=free) == timedelta(seconds=seconds)


def test_who_asks_again_soon_keeps_the_place_as_it_is_and_later_it_counts_longer() -> None:
    third = timedelta(seconds=5) / 3
    early, due = (before(1, asked_at=NOW - third + wait) for wait in (INSTANT, timedelta(0)))

    kept, moved = (queued(asked("u1", places=[place])).turn.place for place in (early, due))

    assert kept == replace(early, wait_until=kept.wait_until)
    assert moved.since == due.since
    assert moved.counts_until == NOW + timedelta(seconds=12.5)


def test_a_place_counts_until_its_next_request_also_when_it_may_ask_less_often_than_before() -> None:
    ahead = [before(number) for number in range(20)]
    # 20 seats were free when it asked. Users of other licenses have taken them, up to the organization's cap.
    own = replace(before(20, asked_at=NOW - timedelta(seconds=5)), counts_until=NOW + timedelta(seconds=7.5))

    turn = queued(asked("u20", places=[*ahead, own])).turn

    assert (turn.position, turn.ask_again_for) == (21, timedelta(seconds=26))
    assert turn.place.counts_until == NOW + timedelta(seconds=65)


def test_a_place_counts_until_its_time_and_not_at_that_instant() -> None:
    place = a_place()

    assert counts(place, now=place.counts_until - INSTANT)
    assert not counts(place, now=place.counts_until)


def test_a_place_is_given_up_because_nobody_asked_or_because_its_time_is_over() -> None:
    silent = a_place()
    over = replace(silent, counts_until=silent.wait_until)

    assert [gave_up_because(each) for each in (silent, over)] == [GaveUp.SILENT, GaveUp.TIME_OVER]


def test_no_place_counts_beyond_the_time_that_the_user_waits_for() -> None:
    soon = NOW + timedelta(seconds=3)

    assert queued(asked(wait_until=soon)).turn.place.counts_until == soon


def test_at_most_two_hundred_wait_for_a_license() -> None:
    places = [before(number) for number in range(MAX_PLACES)]

    late, there = (asked(user, places=places) for user in ("ann", "u0"))

    assert late == SeatLimitReached(license_id="cad", in_use=2, max_seats=2, waiting=200)
    assert isinstance(there, Queued)


def test_a_user_has_at_most_five_places_for_all_licenses_together() -> None:
    viewer = a_license("viewer")
    places = [
        replace(a_place("ann", license_id="viewer", hardware_id=f"d{n}"), since=NOW - INSTANT)
        for n in range(MAX_PLACES_OF_USER)
    ]

    outcome = asked(places=places, others=[viewer])

    assert outcome == SeatLimitReached(license_id="cad", in_use=2, max_seats=2)


def leaves(
    user_id: str = "ann", *, role: Role = Role.MEMBER, now: datetime = NOW, session: Session | None = None
) -> ReleaseOutcome:
    standing = ReleaseStanding(
        organization=an_organization(),
        user=a_user(user_id, role=role),
        session=session,
        place=a_place(),
    )
    return release(standing, user_id=user_id, now=now)


def test_a_release_leaves_the_line_also_after_a_session_that_ended() -> None:
    over = ended(a_session(), reason=EndReason.RELEASED, now=NOW)

    outcomes = [leaves(), leaves(session=over)]

    assert outcomes == [LeftTheLine(place=a_place(), reason=GaveUp.LEFT)] * 2


def test_a_release_of_a_place_that_counts_no_more_says_so() -> None:
    outcome = leaves(now=NOW + timedelta(minutes=1))

    assert outcome == LeftTheLine(place=a_place(), reason=GaveUp.SILENT)


def test_only_its_user_and_admins_take_a_place_out_of_the_line() -> None:
    over = ended(a_session(), reason=EndReason.RELEASED, now=NOW)

    outcomes = [leaves("adam", role=Role.ADMIN), leaves("bob"), leaves("bob", session=over)]

    assert outcomes[0] == LeftTheLine(place=a_place(), reason=GaveUp.LEFT)
    assert outcomes[1:] == [SessionNotFound(), SessionNotFound()]
