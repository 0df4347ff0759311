"""Denials: the attempts of one device for one license within one minute are one event with a number."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.rules.acquire import OrganizationSeatLimitReached, SeatLimitReached
from shared.rules.audit import AuditEvent, AuditType, Detail
from shared.rules.denial import Attempts, CapReached, Denied, Limit, denial_name, denied, is_final, limit_of
from shared.rules.session import session_id_of
from tests.rules.make import INSTANT, a_device, a_user

MINUTE = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)
"""A full minute: where counting starts anew."""

SESSION_ID = session_id_of(license_id="cad", user_id="ann", hardware_id="laptop")
USE: dict[str, Detail] = {"seats": {"in_use": 5, "max": 5}, "organization_seats": {"in_use": 7, "max": None}}
ATTEMPT = Denied(session_id=SESSION_ID, license_id="cad", user=a_user(), device=a_device(), limit=Limit.LICENSE)
"""Ann on her laptop was refused a seat of the license."""


@pytest.mark.parametrize(
    ("refusal", "limit"),
    [
        (SeatLimitReached(license_id="cad", in_use=5, max_seats=5), Limit.LICENSE),
        (OrganizationSeatLimitReached(in_use=7, max_seats=7), Limit.ORGANIZATION),
    ],
)
def test_a_denial_says_whose_cap_stood_in_the_way(refusal: CapReached, limit: Limit) -> None:
    told = limit_of(refusal)

    assert told is limit


def test_the_first_refused_attempt_is_reported_with_who_asked_from_where_and_what_was_in_use() -> None:
    at = MINUTE + timedelta(seconds=7)

    event = denied(ATTEMPT, before=None, use=USE, now=at)

    assert event == AuditEvent(
        name=denial_name(session_id=SESSION_ID, now=at),
        type=AuditType.DENIED,
        at=at,
        actor="ann",
        license_id="cad",
        session_id=SESSION_ID,
        user_id="ann",
        hardware_id="laptop",
        details={
            "limit": "license",
            "attempts": 1,
            "last_attempt_at": at,
            "ip_address": "192.0.2.7",
            "user_agent": "cad/4.2",
            "user_email": "ann@acme.example",
            "seats": {"in_use": 5, "max": 5},
            "organization_seats": {"in_use": 7, "max": None},
        },
    )


def test_a_further_attempt_of_the_minute_adds_one_and_keeps_the_event_and_its_time() -> None:
    first_at, again_at = MINUTE, MINUTE + timedelta(seconds=59)
    first = denied(ATTEMPT, before=None, use=USE, now=first_at)

    again = denied(ATTEMPT, before=Attempts(first_at=first_at, number=41), use=USE, now=again_at)

    assert (again.name, again.at) == (first.name, first_at)
    assert (again.details["attempts"], again.details["last_attempt_at"]) == (42, again_at)


def test_a_further_attempt_tells_the_seats_and_the_cap_of_that_moment() -> None:
    fewer: dict[str, Detail] = {"seats": {"in_use": 4, "max": 4}, "organization_seats": {"in_use": 4, "max": 4}}

    event = denied(ATTEMPT, before=Attempts(first_at=MINUTE, number=1), use=fewer, now=MINUTE + INSTANT)

    assert {name: event.details[name] for name in fewer} == fewer


def test_every_attempt_of_a_minute_has_the_same_event_up_to_its_last_instant() -> None:
    last = MINUTE + timedelta(minutes=1) - INSTANT

    names = {denial_name(session_id=SESSION_ID, now=now) for now in (MINUTE, MINUTE + timedelta(seconds=30), last)}

    assert len(names) == 1


def test_the_next_full_minute_has_an_event_of_its_own_and_so_has_the_one_before() -> None:
    minutes = [MINUTE - INSTANT, MINUTE, MINUTE + timedelta(minutes=1)]

    names = {denial_name(session_id=SESSION_ID, now=now) for now in minutes}

    assert len(names) == 3


def test_the_same_minute_of_another_hour_has_an_event_of_its_own() -> None:
    minutes = [MINUTE, MINUTE + timedelta(hours=1), MINUTE + timedelta(days=1)]

    names = {denial_name(session_id=SESSION_ID, now=now) for now in minutes}

    assert len(names) == 3


def test_every_license_user_and_device_has_an_event_of_its_own() -> None:
    sessions = [
        session_id_of(license_id=license_id, user_id=user_id, hardware_id=hardware_id)
        for license_id in ("cad", "render")
        for user_id in ("ann", "ben")
        for hardware_id in ("laptop", "tower")
    ]

    names = {denial_name(session_id=session_id, now=MINUTE) for session_id in sessions}

    assert len(names) == 8


FINAL_AT = MINUTE + timedelta(seconds=90)


@pytest.mark.parametrize("first_at", [MINUTE, MINUTE + timedelta(seconds=30), MINUTE + timedelta(minutes=1) - INSTANT])
def test_a_denial_is_final_half_a_minute_after_its_minute_wherever_in_it_the_first_attempt_was(
    first_at: datetime,
) -> None:
    moments = [first_at, FINAL_AT - INSTANT, FINAL_AT, FINAL_AT + timedelta(days=1)]

    final = [is_final(first_at=first_at, now=now) for now in moments]

    assert final == [False, False, True, True]


def test_of_a_denial_at_any_time_that_somebody_wrote_it_can_be_said_whether_it_is_final() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

    assert is_final(first_at=first, now=MINUTE)
    assert not is_final(first_at=last, now=MINUTE)


def test_no_attempt_can_be_added_to_a_denial_that_is_final() -> None:
    first = denial_name(session_id=SESSION_ID, now=MINUTE)

    later = denial_name(session_id=SESSION_ID, now=FINAL_AT)

    assert is_final(first_at=MINUTE, now=FINAL_AT)
    assert later != first
