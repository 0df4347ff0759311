"""The state that follows from what is known, at the exact instants."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from seatlease import Lease, NoSeatFree, Seats, ServiceUnreachable, SessionLost, SessionRevoked, State
from seatlease._keeping.standing import Standing

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lease(*, asked_at: float = 1000.0, lasts: float = 360, grace: float = 0) -> Lease:
    return Lease(
        session_id="s" * 26,
        license_id="license-1",
        lease_expires_at=NOW + timedelta(seconds=lasts),
        grace_ends_at=NOW + timedelta(seconds=lasts + grace),
        heartbeat_interval=timedelta(seconds=lasts / 3),
        server_time=NOW,
        lease_token=None,
        seats=Seats(in_use=1, max=1),
        asked_at=asked_at,
    )


UNREACHABLE = ServiceUnreachable("no network")


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (1000.0, State.ACTIVE),
        (1359.999, State.ACTIVE),
        (1360.0, State.DEGRADED),
        (1419.999, State.DEGRADED),
        (1420.0, State.LOST),
    ],
)
def test_the_clock_alone_leads_from_active_over_degraded_to_lost(at: float, state: State) -> None:
    assert Standing(lease=lease(grace=60)).state(at=at) is state


def test_without_grace_a_lapsed_lease_is_lost_at_once() -> None:
    assert Standing(lease=lease()).state(at=1360.0) is State.LOST


def test_a_missed_heartbeat_degrades_until_one_is_answered() -> None:
    standing = Standing(lease=lease()).missed_one(UNREACHABLE).missed_one(UNREACHABLE)

    assert standing.missed == 2
    assert standing.state(at=1001.0) is State.DEGRADED
    assert standing.state(at=1360.0) is State.LOST


def test_a_borrowed_seat_is_active_until_its_end_whatever_is_missed_and_lost_at_that_instant() -> None:
    borrowed = replace(lease(), borrowed_until=lease().lease_expires_at)
    standing = Standing(lease=borrowed).missed_one(UNREACHABLE)

    states = [standing.state(at=at) for at in (1001.0, 1359.999, 1360.0)]

    assert states == [State.ACTIVE, State.ACTIVE, State.LOST]
    assert standing.next_change_at(after=1001.0) == 1360.0
    standing.check(at=1359.999)
    with pytest.raises(SessionLost):
        standing.check(at=1360.0)


def test_what_the_service_said_counts_more_than_the_clock() -> None:
    standing = Standing(lease=lease()).ended(State.REVOKED, SessionRevoked("ended"))

    assert standing.state(at=1001.0) is State.REVOKED
    assert standing.state(at=9999.0) is State.REVOKED


def test_before_anything_was_granted_there_is_no_seat() -> None:
    assert Standing().state(at=0.0) is State.NOT_ACQUIRED
    with pytest.raises(SessionLost):
        Standing().check(at=0.0)


def test_the_next_change_is_the_leases_end_and_then_the_graces() -> None:
    standing = Standing(lease=lease(grace=60))

    assert standing.next_change_at(after=1000.0) == 1360.0
    assert standing.next_change_at(after=1360.0) == 1420.0
    assert standing.next_change_at(after=1420.0) == math.inf
    assert standing.ended(State.LOST).next_change_at(after=1000.0) == math.inf
    assert Standing().next_change_at(after=0.0) == math.inf


def test_check_tells_what_was_lost_and_why_without_raising_the_same_object_twice() -> None:
    full = NoSeatFree(
        "full",
        in_use=1,
        max_seats=1,
        earliest_expiry_at=None,
        retry_after=timedelta(seconds=1),
        code="SEAT_LIMIT_REACHED",
        request_id="r1",
    )
    standing = Standing(lease=lease()).ended(State.LOST, full)

    raised = []
    for _ in range(2):
        with pytest.raises(SessionLost) as lost:
            standing.check(at=1001.0)
        raised.append(lost.value)

    assert raised[0] is not raised[1]
    assert {(error.code, error.request_id, error.__cause__) for error in raised} == {("SEAT_LIMIT_REACHED", "r1", full)}
