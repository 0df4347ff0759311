"""The history of a day: what each number counts, and that the numbers agree with each other."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from shared.rules.history import (
    DAY,
    HALF_HOUR,
    BorrowSeen,
    CapChange,
    Records,
    RefusalSeen,
    TenureSeen,
    UsageDay,
    Waits,
    WaitSeen,
    usage_day,
)
from shared.rules.history_summary import summary

DATE = date(2026, 3, 2)
START = datetime(2026, 3, 2, tzinfo=UTC)
NEXT_WEEK = START + timedelta(days=7)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
LEASE = 6 * MINUTE


def _at(hours: float) -> datetime:
    return START + hours * HOUR


def _tenure(user: str, since: float, until: float, *, device: str = "") -> TenureSeen:
    """Make a tenure that its user ended."""
    return TenureSeen(
        session_id=device or f"session of {user}",
        user_id=user,
        started_at=_at(since),
        last_heartbeat_at=_at(until) - MINUTE,
        lease_expires_at=_at(until) - MINUTE + LEASE,
        ended_at=_at(until),
    )


def _refusal(user: str, at: float) -> RefusalSeen:
    return RefusalSeen(
        session_id=f"session of {user}",
        user_id=user,
        at=_at(at),
        last_attempt_at=_at(at) + 10 * SECOND,
        complete_at=_at(at) + MINUTE,
    )


def _counted(records: Records, *, computed_at: datetime = NEXT_WEEK) -> UsageDay:
    return usage_day("cad", DATE, records, computed_at=computed_at)


def test_a_tenure_counts_from_its_start_to_its_end_and_only_on_this_day() -> None:
    day = _counted(Records(tenures=[_tenure("ann", -3, 1), _tenure("ben", 0.75, 1.25), _tenure("cy", 23, 30)], seats=2))

    assert day.peak_in_use[:3] == (1, 2, 1)
    assert day.peak_in_use[-2:] == (1, 1)
    assert day.seconds_at == {0: 78_300, 1: 7_200, 2: 900}
    assert day.seat_seconds == 9_000
    assert day.full_seconds[:3] == (0, 900, 0)
    assert day.is_settled


def test_the_seat_of_a_dead_program_counts_until_its_lease_ran_out_and_is_idle_since_its_last_heartbeat() -> None:
    dead = replace(_tenure("ann", 1, 2), last_heartbeat_at=_at(1.5), lease_expires_at=_at(1.5) + LEASE)

    day = _counted(Records(tenures=[dead]))

    assert day.seat_seconds == 1_800 + 360
    assert day.idle_seat_seconds == 360


def test_a_tenure_whose_session_an_admin_deleted_counts_until_the_deletion_was_noticed() -> None:
    deleted = replace(_tenure("ann", 1, 2), last_heartbeat_at=None, lease_expires_at=None)

    assert _counted(Records(tenures=[deleted])).seat_seconds == 3_600


def test_a_seat_that_changes_hands_at_one_instant_is_one_seat() -> None:
    day = _counted(Records(tenures=[_tenure("ann", 1, 2), _tenure("ben", 2, 3)]))

    assert max(day.peak_in_use) == 1


def test_a_peak_shorter_than_a_second_is_seen() -> None:
    brief = replace(_tenure("ben", 2, 3), ended_at=_at(2) + timedelta(microseconds=5))

    day = _counted(Records(tenures=[_tenure("ann", 1, 4), brief]))

    assert max(day.peak_in_use) == 2
    assert day.seconds_at == {0: 75_600, 1: 10_800}


def test_an_open_tenure_counts_until_the_day_is_computed_and_nothing_later_is_known() -> None:
    live = replace(_tenure("ann", 1, 2), ended_at=None, lease_expires_at=_at(2.6))

    day = _counted(Records(tenures=[live], seats=3), computed_at=_at(2.25))

    assert day.seconds_at == {0: 3_600, 1: 4_500}
    assert day.seats == (3,) * 5 + (None,) * 43
    assert not day.is_settled


def test_the_cap_of_each_half_hour_is_the_highest_that_was_in_force() -> None:
    changes = [CapChange(at=_at(2.25), before=5), CapChange(at=_at(1), before=None)]

    day = _counted(Records(seats=3, cap_changes=changes, tenures=[_tenure("ann", 0.5, 3)]))

    assert day.seats[:6] == (None, None, 5, 5, 5, 3)


def test_seats_above_the_cap_are_overdraft() -> None:
    tenures = [_tenure("ann", 1, 3), _tenure("ben", 2, 3)]

    assert _counted(Records(tenures=tenures, seats=1)).overdraft_seat_seconds == 3_600


def test_a_borrowed_seat_counts_as_borrowed_from_the_borrow_on_and_not_as_idle() -> None:
    until = _at(9)
    lent = replace(_tenure("ann", 1, 10), last_heartbeat_at=_at(2), lease_expires_at=until)
    borrows = [BorrowSeen(session_id=lent.session_id, started_at=_at(1), at=_at(at), until=until) for at in (2, 4)]

    day = _counted(Records(tenures=[lent], borrows=borrows))

    assert (day.seat_seconds, day.borrowed_seat_seconds, day.idle_seat_seconds) == (8 * 3_600, 7 * 3_600, 0)


def test_a_refused_device_waits_until_a_minute_after_its_last_attempt_or_until_it_has_a_seat() -> None:
    served = _tenure("ben", 1.01, 2)

    day = _counted(Records(tenures=[served], refusals=[_refusal("ann", 1), _refusal("ben", 1)]))

    assert day.demand_seconds_at == {0: 82_800, 1: 3_530, 2: 70}
    assert (day.peak_in_use[2], day.peak_demand[2]) == (1, 2)


def test_users_are_turned_away_if_they_have_no_seat_within_fifteen_minutes() -> None:
    soon, late = _tenure("ben", 1.2, 2), _tenure("cy", 1.3, 2)
    refusals = [_refusal(user, at) for user in ("ann", "ben", "cy") for at in (1, 1.02)]

    day = _counted(Records(tenures=[soon, late], refusals=refusals))

    assert (day.people_denied, day.people_turned_away) == (3, 2)
    assert day.denied_people[2] == 3


def test_a_user_who_left_the_line_without_a_seat_was_turned_away_and_one_who_was_served_waited() -> None:
    served = _tenure("ben", 2, 3)
    places = [
        WaitSeen(session_id="session of ann", user_id="ann", since=_at(1), until=_at(1.5)),
        WaitSeen(session_id=served.session_id, user_id="ben", since=_at(1), until=None),
        WaitSeen(session_id=served.session_id, user_id="ben", since=_at(1), until=_at(2.01)),
    ]

    day = _counted(Records(tenures=[served], waits=places))

    assert (day.people_denied, day.people_turned_away) == (0, 1)
    assert day.waits == Waits(count=1, p50_seconds=3_600, p95_seconds=3_600)
    assert day.demand_seconds_at == {0: 79_200, 1: 5_400, 2: 1_800}


def test_a_refusal_counts_when_its_minute_is_over_and_is_final_fifteen_minutes_later() -> None:
    records = Records(refusals=[_refusal("ann", 1)])
    over = _at(1) + MINUTE

    assert _counted(records, computed_at=over - SECOND).people_denied == 0
    assert _counted(records, computed_at=over).people_denied == 1
    assert _counted(records, computed_at=_at(1.25)).people_turned_away == 0
    assert _counted(records, computed_at=_at(1.26)).people_turned_away == 1


def test_the_summary_says_how_many_seats_would_have_been_enough() -> None:
    tenures = [_tenure("ann", 0, 10), _tenure("ben", 9, 10), _tenure("cy", 9.9, 10)]
    days = [_counted(Records(tenures=tenures)), _counted(Records())]

    told = summary(days, seats=2)

    assert (told.peak_in_use, told.peak_demand, told.busy_seconds) == (3, 3, 36_000)
    assert told.seats_enough_for == {95: 2, 99: 2, 100: 3}
    assert told.enough_share == 0.99


def test_without_busy_time_no_number_of_seats_is_told_to_be_enough() -> None:
    told = summary([_counted(Records())], seats=2)

    assert (told.busy_seconds, told.enough_share) == (0, None)
    assert set(told.seats_enough_for.values()) == {None}


_Record = TypeVar("_Record")
_moments = st.integers(-4 * 3_600_000, 30 * 3_600_000).map(lambda ms: START + timedelta(milliseconds=ms))
_users = st.sampled_from(["ann", "ben", "cy", "dee"])


@st.composite
def _tenures(draw: st.DrawFn) -> TenureSeen:
    user, first, last = draw(_users), draw(_moments), draw(_moments)
    since, until = min(first, last), max(first, last) + SECOND
    return TenureSeen(
        session_id=f"session of {user}",
        user_id=user,
        started_at=since,
        last_heartbeat_at=since,
        lease_expires_at=draw(st.sampled_from([since + LEASE, until, until + LEASE, None])),
        ended_at=until,
    )


@st.composite
def _refusals(draw: st.DrawFn) -> RefusalSeen:
    user, last = draw(_users), draw(_moments)
    minute = last.replace(second=0, microsecond=0)
    return RefusalSeen(
        session_id=f"session of {user}", user_id=user, at=minute, last_attempt_at=last, complete_at=minute + MINUTE
    )


@st.composite
def _places(draw: st.DrawFn) -> WaitSeen:
    user, since, until = draw(_users), draw(_moments), draw(st.none() | _moments)
    return WaitSeen(
        session_id=f"session of {user}", user_id=user, since=since, until=None if until is None else max(since, until)
    )


_records = st.builds(
    Records,
    tenures=st.lists(_tenures(), max_size=8),
    refusals=st.lists(_refusals(), max_size=5),
    waits=st.lists(_places(), max_size=3),
    seats=st.none() | st.integers(0, 3),
    cap_changes=st.lists(st.builds(CapChange, at=_moments, before=st.none() | st.integers(0, 3)), max_size=3),
)
_computed = st.integers(1, 200_000).map(lambda seconds: START + seconds * SECOND)


@given(_records, _computed)
def test_the_numbers_of_a_day_agree_with_each_other(records: Records, computed_at: datetime) -> None:
    day = _counted(records, computed_at=computed_at)

    passed = min(DAY, computed_at - START) // SECOND
    assert sum(day.seconds_at.values()) == passed
    assert sum(day.demand_seconds_at.values()) == passed
    assert day.seat_seconds == sum(level * seconds for level, seconds in day.seconds_at.items())
    assert max(day.peak_in_use) >= max(day.seconds_at)
    assert all(demand >= use for use, demand in zip(day.peak_in_use, day.peak_demand, strict=True))
    assert all(seconds <= HALF_HOUR // SECOND for seconds in day.full_seconds)
    assert day.idle_seat_seconds <= sum(
        (each.until - each.started_at) // SECOND + 1 for each in records.tenures if each.until
    )
    assert day.people_turned_away <= 4


@given(_records, _computed, st.randoms())
def test_neither_the_order_of_records_nor_a_second_report_of_one_changes_a_day(
    records: Records, computed_at: datetime, chance: Random
) -> None:
    def twice(told: Sequence[_Record]) -> list[_Record]:
        return chance.sample([*told, *told], 2 * len(told))

    shuffled = replace(
        records, tenures=twice(records.tenures), refusals=twice(records.refusals), waits=twice(records.waits)
    )

    again = _counted(shuffled, computed_at=computed_at)

    assert again == _counted(records, computed_at=computed_at)


@given(_records, st.integers(0, 47))
def test_half_a_day_has_the_first_half_hours_of_the_whole_day(records: Records, half_hours: int) -> None:
    whole = _counted(records)

    part = _counted(records, computed_at=START + half_hours * HALF_HOUR)

    for name in ("peak_in_use", "peak_demand", "seats", "full_seconds"):
        assert getattr(part, name)[:half_hours] == getattr(whole, name)[:half_hours], name


def _place_then(place: WaitSeen, tenures: Sequence[TenureSeen], at: datetime) -> WaitSeen:
    """The place as it was seen at that time. Before its seat came, its document said how long it counts."""
    began = [each.started_at for each in tenures if each.session_id == place.session_id]
    seat = min((each for each in began if each >= place.since), default=None)
    return place if place.until is not None or seat is None or seat < at else replace(place, until=at + DAY)


@given(_records, _computed)
def test_what_comes_later_changes_nothing_of_what_was_counted(records: Records, computed_at: datetime) -> None:
    """A tenure or place that is open when the day is computed is counted as it is after its end."""
    known = [each for each in records.tenures if each.started_at < computed_at]
    still_open = [
        each if each.ended_at is not None and each.ended_at < computed_at else _open(each, computed_at)
        for each in known
    ]

    places = [_place_then(each, records.tenures, computed_at) for each in records.waits]

    then = _counted(replace(records, tenures=still_open, waits=places), computed_at=computed_at)

    assert then == _counted(records, computed_at=computed_at)


def _open(tenure: TenureSeen, computed_at: datetime) -> TenureSeen:
    """The tenure as it is while it is open: its lease may still be made longer, if it has not run out."""
    lease = tenure.lease_expires_at
    if lease is None or lease > computed_at:
        lease = computed_at + LEASE
    return replace(tenure, ended_at=None, lease_expires_at=lease)
