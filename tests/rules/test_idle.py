"""Idle: a user who does nothing for as long as the license allows loses the seat, if no other instance uses it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.rules.heartbeat import (
    Extended,
    HeartbeatOutcome,
    IdleLeft,
    Standing,
    StillFresh,
    Stopped,
    heartbeat,
)
from shared.rules.session import EndReason, Session, SessionOver
from tests.rules.make import INSTANT, NOW, a_license, a_session, a_user, an_instance, an_organization

A, B = "instance-a-instance", "instance-b-instance"
LATER = NOW + timedelta(minutes=2)
IDLE_FOR = timedelta(minutes=30)
SHARED = replace(a_session(), instances=(an_instance(A), an_instance(B)))


def beats(
    session: Session,
    instance_id: str | None = None,
    *,
    idle_for: timedelta | None,
    most: timedelta | None = IDLE_FOR,
    instances: int | None = None,
) -> HeartbeatOutcome:
    standing = Standing(
        organization=an_organization(),
        user=a_user(),
        license=replace(a_license(), idle_for=most, max_instances=instances),
        session=session,
    )
    return heartbeat(standing, user_id="ann", now=LATER, instance_id=instance_id, idle_for=idle_for)


def idle(session: Session) -> Stopped:
    over = replace(session, ended_at=LATER, end_reason=EndReason.IDLE)
    return Stopped(session=over, because=SessionOver(reason=EndReason.IDLE))


@pytest.mark.parametrize("idle_for", [IDLE_FOR, IDLE_FOR + INSTANT, timedelta(days=3_650)])
def test_an_idle_user_loses_the_seat(idle_for: timedelta) -> None:
    assert beats(a_session(), idle_for=idle_for) == idle(a_session())


@pytest.mark.parametrize(
    ("idle_for", "most"),
    [(None, IDLE_FOR), (timedelta(0), IDLE_FOR), (IDLE_FOR - INSTANT, IDLE_FOR), (IDLE_FOR, None)],
    ids=["a program that does not tell", "a busy user", "nearly idle", "a license without the limit"],
)
def test_any_other_user_keeps_the_seat(idle_for: timedelta | None, most: timedelta | None) -> None:
    outcome = beats(a_session(), idle_for=idle_for, most=most)

    assert isinstance(outcome, Extended)
    assert outcome.session.lease_expires_at > a_session().lease_expires_at


def test_an_idle_instance_leaves_a_seat_on_which_another_works_and_the_lease_stays_as_it_is() -> None:
    outcome = beats(SHARED, A, idle_for=IDLE_FOR)

    assert outcome == IdleLeft(session=replace(SHARED, instances=(an_instance(B),)))


def test_the_last_instance_that_is_idle_ends_the_session() -> None:
    first = beats(SHARED, A, idle_for=IDLE_FOR)
    assert isinstance(first, IdleLeft)

    assert beats(first.session, B, idle_for=IDLE_FOR) == idle(first.session)


def test_an_instance_that_was_not_heard_of_for_a_lease_keeps_no_idle_ones_seat() -> None:
    long_ago = an_instance(B, heard_at=NOW - timedelta(hours=1))
    session = replace(a_session(), instances=(an_instance(A), long_ago))

    assert beats(session, A, idle_for=IDLE_FOR) == idle(session)


def test_an_instance_that_left_for_being_idle_may_come_back() -> None:
    left = beats(SHARED, A, idle_for=IDLE_FOR)
    assert isinstance(left, IdleLeft)

    back = beats(left.session, A, idle_for=timedelta(0))

    assert isinstance(back, Extended)
    assert {each.instance_id for each in back.session.instances} == {A, B}


def test_an_idle_instance_that_a_full_seat_has_no_room_for_is_told_that_it_is_idle() -> None:
    assert beats(SHARED, "instance-c-instance", idle_for=IDLE_FOR, instances=2) == IdleLeft(session=SHARED)


def test_a_user_who_is_idle_on_one_device_keeps_the_seat_of_another() -> None:
    desktop = a_session(hardware_id="desktop")

    assert isinstance(beats(desktop, idle_for=timedelta(0)), Extended | StillFresh)
    assert isinstance(beats(a_session(), idle_for=IDLE_FOR), Stopped)
