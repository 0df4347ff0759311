"""Instances: the programs that work on one seat, and the seat that the last of them gives back."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.rules import acquire, heartbeat, release
from shared.rules.acquire import Granted, Renewed
from shared.rules.audit import AuditType, renewed
from shared.rules.heartbeat import Extended, StillFresh
from shared.rules.release import Left, Released
from shared.rules.seat_use import SeatUse
from shared.rules.session import MAX_INSTANCES, EndReason, InstanceLimitReached, Session, heard_of
from shared.rules.user import Role
from tests.rules.make import (
    HOME,
    INSTANT,
    LEASE,
    NOW,
    a_device,
    a_license,
    a_session,
    a_user,
    an_instance,
    an_organization,
)

A, B = "instance-a-instance", "instance-b-instance"
SOON = NOW + timedelta(minutes=2)
EARLY = timedelta(seconds=30)
REMEMBERED = LEASE + EARLY
"""How long an instance is remembered: for its lease, and for an early heartbeat that was not noted."""


def asks(
    session: Session | None,
    instance_id: str | None,
    *,
    now: datetime = SOON,
    most: int | None = None,
    ip_address: str = HOME,
    user_agent: str = "cad/4.2",
) -> acquire.AcquireOutcome:
    standing = acquire.Standing(
        organization=an_organization(),
        user=a_user(),
        license=replace(a_license(), max_instances=most),
        session=session,
        use=SeatUse(by_license={"cad": 0 if session is None else 1}),
    )
    device = replace(a_device(instance_id=instance_id), ip_address=ip_address, user_agent=user_agent)
    return acquire.acquire(standing, device, now=now)


def beats(
    session: Session,
    instance_id: str | None,
    *,
    now: datetime = SOON,
    most: int | None = None,
    ip_address: str = HOME,
) -> heartbeat.HeartbeatOutcome:
    standing = heartbeat.Standing(
        organization=an_organization(),
        user=a_user(),
        license=replace(a_license(), max_instances=most),
        session=session,
    )
    return heartbeat.heartbeat(standing, user_id="ann", now=now, instance_id=instance_id, ip_address=ip_address)


def leaves(session: Session, instance_id: str | None, *, now: datetime = SOON) -> release.ReleaseOutcome:
    standing = release.Standing(organization=None, user=None, session=session)
    return release.release(standing, user_id="ann", now=now, instance_id=instance_id)


def with_two(*, heard_at: datetime = SOON) -> Session:
    """A seat on which A works since NOW, and B since ``heard_at``."""
    outcome = asks(a_session(instance_id=A), B, now=heard_at)
    assert isinstance(outcome, Renewed)
    return outcome.session


def test_a_grant_remembers_the_instance_that_took_the_seat() -> None:
    outcome = asks(None, A, now=NOW)

    assert isinstance(outcome, Granted)
    assert outcome.session.instances == (an_instance(A),)


def test_another_instance_shares_the_seat_and_is_news_once() -> None:
    first = asks(a_session(instance_id=A), B)
    assert isinstance(first, Renewed)

    again = asks(first.session, B, now=SOON + INSTANT)

    assert first.news == an_instance(B, heard_at=SOON)
    assert [each.instance_id for each in first.session.instances] == [A, B]
    assert isinstance(again, Renewed)
    assert again.news is None


@pytest.mark.parametrize(
    ("instance_id", "ip_address", "user_agent", "is_news"),
    [
        pytest.param(A, HOME, "cad/4.2", False, id="as before"),
        pytest.param(A, "192.0.2.8", "cad/4.2", True, id="another address"),
        pytest.param(A, HOME, "cad/4.3", True, id="another version"),
        pytest.param(None, HOME, "cad/4.2", False, id="no instance, as before"),
        pytest.param(None, "192.0.2.8", "cad/4.2", True, id="no instance, another address"),
    ],
)
def test_an_acquire_is_news_if_it_comes_from_elsewhere(
    instance_id: str | None, ip_address: str, user_agent: str, *, is_news: bool
) -> None:
    outcome = asks(a_session(instance_id=A), instance_id, ip_address=ip_address, user_agent=user_agent)

    assert isinstance(outcome, Renewed)
    assert (outcome.news is not None) is is_news


def test_a_heartbeat_from_another_address_is_news() -> None:
    moved = beats(a_session(instance_id=A), A, ip_address="192.0.2.8")
    assert isinstance(moved, Extended)

    there = beats(moved.session, A, now=SOON + timedelta(minutes=2), ip_address="192.0.2.8")

    assert moved.news == an_instance(A, ip_address="192.0.2.8", heard_at=SOON)
    assert isinstance(there, Extended)
    assert there.news is None


def test_a_heartbeat_without_an_instance_is_no_news() -> None:
    outcome = beats(a_session(), None, ip_address="192.0.2.8")

    assert isinstance(outcome, Extended)
    assert outcome.news is None


def test_each_instance_and_address_has_one_event_in_a_tenure() -> None:
    session = with_two()

    names = {
        renewed(each, an_instance(instance_id, ip_address=address, heard_at=at), user_agent=None).name
        for each in (session, replace(session, started_at=SOON))
        for instance_id in (A, B, None)
        for address in ("192.0.2.8", "192.0.2.9", None)
        for at in (NOW, SOON)
    }

    assert len(names) == 2 * 3 * 3


def test_a_renewal_reports_the_instance_its_address_and_how_many_there_are() -> None:
    event = renewed(with_two(), an_instance(B, heard_at=SOON), user_agent="cad/4.2")

    assert (event.type, event.at, event.actor, event.license_id) == (AuditType.RENEWED, SOON, "ann", "cad")
    assert event.details == {
        "started_at": NOW,
        "instance_id": B,
        "ip_address": HOME,
        "user_agent": "cad/4.2",
        "instances": 2,
    }


def test_one_instance_more_than_the_license_allows_is_refused_and_told_when_to_ask_again() -> None:
    outcome = asks(with_two(), "instance-c-instance", now=SOON, most=2)

    assert outcome == InstanceLimitReached(
        session_id=a_session().session_id,
        instances=2,
        max_instances=2,
        earliest_expiry_at=NOW + REMEMBERED,
    )


@pytest.mark.parametrize("instance_id", [A, B, None], ids=["the first", "the second", "one without a name"])
def test_who_is_known_or_names_no_instance_is_not_refused(instance_id: str | None) -> None:
    assert isinstance(asks(with_two(), instance_id, most=1), Renewed)
    assert isinstance(beats(with_two(heard_at=NOW), instance_id, most=1), Extended)


def test_a_heartbeat_of_an_instance_that_was_forgotten_takes_no_place_beyond_the_limit() -> None:
    session = replace(with_two(), instances=(an_instance(B, heard_at=SOON),))

    refused, kept = beats(session, A, now=SOON, most=1), beats(session, A, now=SOON, most=2)

    assert isinstance(refused, InstanceLimitReached)
    assert isinstance(kept, Extended)
    assert [each.instance_id for each in kept.session.instances] == [B, A]


def test_an_instance_that_was_not_heard_of_for_a_lease_is_forgotten() -> None:
    session = with_two()

    last, gone = (heard_of(session, now=NOW + REMEMBERED - tick) for tick in (INSTANT, timedelta(0)))

    assert [each.instance_id for each in last] == [A, B]
    assert [each.instance_id for each in gone] == [B]


def test_the_heartbeat_of_another_instance_does_not_make_this_one_early() -> None:
    session = with_two(heard_at=SOON)

    other, own = beats(session, A, now=SOON + INSTANT), beats(session, B, now=SOON + EARLY - INSTANT)

    assert isinstance(other, Extended)
    assert isinstance(own, StillFresh)


def test_no_instance_is_forgotten_before_a_lease_that_it_was_given_ends() -> None:
    early = NOW + EARLY - INSTANT
    extended = asks(a_session(instance_id=A), B, now=early)
    assert isinstance(extended, Renewed)

    fresh = beats(extended.session, A, now=early)

    assert isinstance(fresh, StillFresh)
    until = fresh.session.lease_expires_at - INSTANT
    assert A in {each.instance_id for each in heard_of(fresh.session, now=until)}


def test_no_more_than_fifty_instances_are_remembered_and_the_next_one_works_all_the_same() -> None:
    many = tuple(an_instance(f"instance-{number:012}", heard_at=SOON) for number in range(MAX_INSTANCES))
    full = replace(with_two(), instances=many)

    joined, kept = asks(full, A), beats(full, A, now=SOON + EARLY)
    early = beats(full, A, now=SOON + EARLY - INSTANT)

    assert isinstance(joined, Renewed)
    assert (joined.session.instances, joined.news) == (many, None)
    assert isinstance(kept, Extended)
    assert (kept.session.instances, kept.news) == (many, None)
    assert isinstance(early, StillFresh)


def test_the_highest_limit_holds_beside_a_program_that_names_no_instance() -> None:
    session = a_session(instance_id=None)
    for number in range(MAX_INSTANCES):
        joined = asks(session, f"instance-{number:012}", most=MAX_INSTANCES)
        assert isinstance(joined, Renewed)
        session = joined.session

    assert isinstance(asks(session, A, most=MAX_INSTANCES), InstanceLimitReached)
    assert isinstance(beats(session, A, most=MAX_INSTANCES), InstanceLimitReached)


def test_a_program_that_names_no_instance_is_remembered_beside_the_most_that_do() -> None:
    many = tuple(an_instance(f"instance-{number:012}", heard_at=SOON) for number in range(MAX_INSTANCES))
    joined = asks(replace(with_two(), instances=many), None)
    assert isinstance(joined, Renewed)

    outcome = leaves(joined.session, None)

    assert isinstance(outcome, Released)
    assert outcome.session.end_reason is EndReason.RELEASED


def test_the_first_instance_that_leaves_does_not_give_the_seat_away_and_the_last_one_does() -> None:
    first = leaves(with_two(), A)
    assert isinstance(first, Left)

    again, last = leaves(first.session, A), leaves(first.session, B)

    assert [each.instance_id for each in first.session.instances] == [B]
    assert first.session.lease_expires_at == with_two().lease_expires_at
    assert again == first
    assert isinstance(last, Released)
    assert last.session.end_reason is EndReason.RELEASED


def test_an_instance_that_was_not_heard_of_for_a_lease_keeps_no_seat() -> None:
    session = beats(with_two(), B, now=NOW + LEASE)
    assert isinstance(session, Extended)

    outcome = leaves(session.session, B, now=NOW + REMEMBERED)

    assert isinstance(outcome, Released)


def test_a_seat_whose_programs_name_their_instance_is_ended_by_its_user_for_good() -> None:
    outcome = leaves(with_two(), None)

    assert isinstance(outcome, Released)
    assert outcome.session.end_reason is EndReason.RELEASED_ELSEWHERE


def test_a_program_that_names_no_instance_gives_its_seat_back_as_ever() -> None:
    beside = asks(a_session(instance_id=None), B)
    assert isinstance(beside, Renewed)

    alone, with_another = leaves(a_session(), None), leaves(beside.session, None)

    for outcome in (alone, with_another):
        assert isinstance(outcome, Released)
        assert outcome.session.end_reason is EndReason.RELEASED


def test_an_instance_leaves_a_seat_to_a_program_that_names_none() -> None:
    beside = asks(a_session(instance_id=None), B)
    assert isinstance(beside, Renewed)

    assert isinstance(leaves(beside.session, B), Left)


def test_an_owner_ends_the_session_whatever_instance_the_request_names() -> None:
    standing = release.Standing(
        organization=an_organization(), user=a_user("olivia", role=Role.OWNER), session=with_two()
    )

    outcome = release.release(standing, user_id="olivia", now=SOON, instance_id=A)

    assert isinstance(outcome, Released)
    assert outcome.session.end_reason is EndReason.REVOKED_BY_ADMIN
