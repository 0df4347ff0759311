"""Borrowing: a seat that cannot be taken back, for as long and as often as the license lends seats."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.rules.acquire import Borrowed, Granted, Renewed, SeatLimitReached, Standing, acquire
from shared.rules.audit import AuditType, ended, overhang_until
from shared.rules.borrowing import (
    BorrowedSeatsLimitReached,
    BorrowingOff,
    BorrowTooLong,
    BorrowTooShort,
)
from shared.rules.heartbeat import Extended, heartbeat
from shared.rules.heartbeat import Standing as HeartbeatStanding
from shared.rules.license import License
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason, Session, grace_ends_at, is_borrowed, is_live
from shared.rules.session import ended as end
from tests.rules.make import INSTANT, LEASE, NOW, a_device, a_license, a_session, a_user, an_organization

WEEK, THREE_DAYS = timedelta(days=7), timedelta(days=3)
UNTIL = NOW + THREE_DAYS


def lending(**terms: Any) -> License:  # noqa: ANN401 any field of a license
    return replace(a_license(), borrow_for=WEEK, **terms)


def lent(session: Session, until: datetime = UNTIL) -> Session:
    return replace(session, borrowed_until=until, lease_expires_at=until)


def standing_of(license_: License, session: Session | None = None, *, borrowed: tuple[Session, ...] = ()) -> Standing:
    use = SeatUse(by_license={"cad": 0 if session is None else 1})
    return Standing(
        organization=an_organization(), user=a_user(), license=license_, session=session, use=use, borrowed=borrowed
    )


def test_a_license_lends_no_seat_unless_it_says_so() -> None:
    outcome = acquire(standing_of(a_license()), a_device(), now=NOW, borrow_until=UNTIL)

    assert outcome == BorrowingOff()


@pytest.mark.parametrize("until", [NOW, NOW - INSTANT, NOW - WEEK])
def test_a_seat_is_not_borrowed_until_a_time_that_has_passed(until: datetime) -> None:
    outcome = acquire(standing_of(lending()), a_device(), now=NOW, borrow_until=until)

    assert outcome == BorrowTooShort()


def test_the_longest_borrow_is_that_of_the_license_to_the_microsecond() -> None:
    longest = acquire(standing_of(lending()), a_device(), now=NOW, borrow_until=NOW + WEEK)
    too_long = acquire(standing_of(lending()), a_device(), now=NOW, borrow_until=NOW + WEEK + INSTANT)

    assert isinstance(longest, Granted)
    assert too_long == BorrowTooLong(latest=NOW + WEEK)


def test_no_borrow_outlasts_the_contract() -> None:
    ends = NOW + timedelta(days=2)

    outcome = acquire(standing_of(lending(expires_at=ends)), a_device(), now=NOW, borrow_until=UNTIL)

    assert outcome == BorrowTooLong(latest=ends)


def test_a_borrowed_seat_has_its_lease_until_exactly_then_and_no_grace() -> None:
    outcome = acquire(standing_of(lending(grace_for=WEEK)), a_device(), now=NOW, borrow_until=UNTIL)

    assert isinstance(outcome, Granted)
    assert outcome.session.lease_expires_at == UNTIL
    assert grace_ends_at(outcome.session, outcome.license, now=NOW + WEEK) == UNTIL
    assert is_live(outcome.session, now=UNTIL - INSTANT)
    assert not is_live(outcome.session, now=UNTIL)


def test_the_device_that_holds_a_seat_borrows_that_one() -> None:
    held = a_session(started_at=NOW - LEASE / 2)

    outcome = acquire(standing_of(lending(), held), a_device(), now=NOW, borrow_until=UNTIL)

    assert isinstance(outcome, Borrowed)
    assert (outcome.session.started_at, outcome.session.lease_expires_at) == (held.started_at, UNTIL)
    assert outcome.in_use == 1


@pytest.mark.parametrize("until", [UNTIL, UNTIL - timedelta(days=1)])
def test_to_ask_again_for_no_longer_than_it_is_borrowed_changes_nothing(until: datetime) -> None:
    held = lent(a_session())

    outcome = acquire(standing_of(lending(), held), a_device(), now=NOW + INSTANT, borrow_until=until)

    assert isinstance(outcome, Renewed)
    assert (outcome.session.borrowed_until, outcome.session.lease_expires_at) == (UNTIL, UNTIL)


def test_a_borrow_can_be_extended_within_the_limits_from_now_on() -> None:
    held, later = lent(a_session()), NOW + timedelta(days=2)

    outcome = acquire(standing_of(lending(), held), a_device(), now=later, borrow_until=later + WEEK)

    assert isinstance(outcome, Borrowed)
    assert outcome.session.borrowed_until == later + WEEK


def test_an_acquire_without_a_time_keeps_the_borrow() -> None:
    outcome = acquire(standing_of(lending(), lent(a_session())), a_device(), now=NOW + INSTANT)

    assert isinstance(outcome, Renewed)
    assert (outcome.session.borrowed_until, outcome.session.lease_expires_at) == (UNTIL, UNTIL)


def test_a_heartbeat_never_shortens_a_borrow_and_keeps_the_seat_after_it() -> None:
    standing = HeartbeatStanding(
        organization=an_organization(), user=a_user(), license=lending(), session=lent(a_session())
    )

    early = heartbeat(standing, user_id="ann", now=NOW + timedelta(days=1))
    late = heartbeat(standing, user_id="ann", now=UNTIL - INSTANT)

    assert isinstance(early, Extended)
    assert early.session.lease_expires_at == UNTIL
    assert isinstance(late, Extended)
    assert late.session.lease_expires_at == UNTIL - INSTANT + LEASE


def test_as_many_seats_are_borrowed_at_a_time_as_the_license_says() -> None:
    tomorrow, later = NOW + timedelta(days=1), NOW + timedelta(days=2)
    away = tuple(lent(a_session(user), until) for user, until in [("ben", later), ("eva", tomorrow)])

    def ask(most: int, *, now: datetime = NOW) -> object:
        standing = standing_of(lending(max_borrowed_seats=most), borrowed=away)
        return acquire(standing, a_device(), now=now, borrow_until=UNTIL)

    assert ask(2) == BorrowedSeatsLimitReached(borrowed=2, max_borrowed=2, earliest_expiry_at=tomorrow)
    assert isinstance(ask(3), Granted)
    assert isinstance(ask(2, now=tomorrow), Granted)


def test_ones_own_borrow_is_not_counted_when_it_is_extended() -> None:
    held = lent(a_session())
    standing = standing_of(lending(max_borrowed_seats=1), held, borrowed=(held,))

    outcome = acquire(standing, a_device(), now=NOW + INSTANT, borrow_until=UNTIL + timedelta(days=1))

    assert isinstance(outcome, Borrowed)


def test_a_full_license_lends_no_seat_to_a_device_without_one() -> None:
    standing = replace(standing_of(lending(max_concurrent_seats=1)), use=SeatUse(by_license={"cad": 1}))

    assert isinstance(acquire(standing, a_device(), now=NOW, borrow_until=UNTIL), SeatLimitReached)


@pytest.mark.parametrize(
    ("reason", "overhang"),
    [
        (EndReason.RELEASED, None),
        (EndReason.REVOKED_BY_ADMIN, UNTIL),
        (EndReason.RELEASED_ELSEWHERE, UNTIL),
        (EndReason.USER_DEACTIVATED, UNTIL),
    ],
)
def test_an_end_that_the_device_may_not_know_of_says_until_when_it_works_on(
    reason: EndReason, overhang: datetime | None
) -> None:
    over = end(lent(a_session()), reason=reason, now=NOW + timedelta(hours=1))

    event = ended(over, actor="olivia")

    assert overhang_until(over) == overhang
    assert event.details.get("overhang_until") == overhang
    assert event.type is not AuditType.EXPIRED
    assert not is_borrowed(over, now=NOW + timedelta(hours=2))


def test_after_its_time_a_borrow_leaves_no_overhang() -> None:
    over = end(lent(a_session()), reason=EndReason.REVOKED_BY_ADMIN, now=UNTIL)

    assert overhang_until(over) is None
