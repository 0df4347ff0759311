"""Denials: the attempts of one user for one license within one minute are one event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.rules.acquire import CapReached, OrganizationSeatLimitReached, SeatLimitReached
from shared.rules.audit import AuditEvent, AuditType, Detail
from shared.rules.denial import Denied, Limit, denial_name, denied, limit_of
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


def test_a_refused_attempt_is_reported_with_who_asked_from_where_and_what_was_in_use() -> None:
    at = MINUTE + timedelta(seconds=7)

    event = denied(ATTEMPT, use=USE, now=at)

    assert event == AuditEvent(
        name=denial_name(user_id="ann", license_id="cad", now=at),
        type=AuditType.DENIED,
        at=MINUTE,
        actor="ann",
        license_id="cad",
        session_id=SESSION_ID,
        user_id="ann",
        hardware_id="laptop",
        details={
            "limit": "license",
            "for_waiting": 0,
            "last_attempt_at": at,
            "ip_address": "192.0.2.7",
            "user_agent": "cad/4.2",
            "user_email": "ann@acme.example",
            "seats": {"in_use": 5, "max": 5},
            "organization_seats": {"in_use": 7, "max": None},
        },
    )


@pytest.mark.parametrize(
    "now", [MINUTE, MINUTE + INSTANT, MINUTE + timedelta(seconds=30), MINUTE + timedelta(minutes=1) - INSTANT]
)
def test_every_attempt_of_a_minute_has_the_same_event_at_the_same_time(now: datetime) -> None:
    event = denied(ATTEMPT, use=USE, now=now)

    assert (event.name, event.at) == (denied(ATTEMPT, use=USE, now=MINUTE).name, MINUTE)


def test_an_attempt_on_another_device_has_the_same_event() -> None:
    tower = session_id_of(license_id="cad", user_id="ann", hardware_id="tower")
    other = replace(ATTEMPT, session_id=tower, device=a_device(hardware_id="tower"))

    event = denied(other, use=USE, now=MINUTE)

    assert event.name == denied(ATTEMPT, use=USE, now=MINUTE).name
    assert (event.session_id, event.hardware_id) == (tower, "tower")


@pytest.mark.parametrize("apart", [timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)], ids=str)
def test_another_minute_has_an_event_of_its_own(apart: timedelta) -> None:
    names = {
        denial_name(user_id="ann", license_id="cad", now=now) for now in (MINUTE - INSTANT, MINUTE, MINUTE + apart)
    }

    assert len(names) == 3


def test_every_user_and_every_license_has_an_event_of_its_own() -> None:
    names = {
        denial_name(user_id=user_id, license_id=license_id, now=MINUTE)
        for user_id in ("ann", "ben")
        for license_id in ("cad", "render")
    }

    assert len(names) == 4
