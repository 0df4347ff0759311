"""Heartbeat: the seat is kept, or its holder learns that it is gone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.rules.heartbeat import Extended, Standing, StillFresh, Stopped, heartbeat
from shared.rules.refusal import (
    CallerRefusal,
    LicenseExpired,
    LicenseInactive,
    LicenseNotFound,
    LicenseRefusal,
    Misconfigured,
    OrganizationInactive,
    OrganizationMissing,
    RoleNotAllowed,
    SessionNotFound,
    UserInactive,
    UserMissing,
)
from shared.rules.session import EndReason, SessionOver, ended
from shared.rules.user import Role
from tests.rules.make import INSTANT, LEASE, NOW, UNUSABLE, a_license, a_session, a_user, an_instance, an_organization

LATER = NOW + timedelta(minutes=2)
EARLY_WITHIN = timedelta(seconds=30)

HELD = Standing(organization=an_organization(), user=a_user(), license=a_license(), session=a_session(started_at=NOW))
"""Ann holds a seat since NOW, and nothing stands against it."""


def lapsed(*, now: datetime) -> Stopped:
    over = ended(a_session(started_at=NOW), reason=EndReason.EXPIRED, now=now)
    return Stopped(session=over, because=SessionOver(reason=EndReason.EXPIRED))


def test_a_heartbeat_starts_the_lease_anew_and_changes_nothing_else() -> None:
    standing = HELD

    outcome = heartbeat(standing, user_id="ann", now=LATER)

    kept = replace(
        a_session(started_at=NOW),
        last_heartbeat_at=LATER,
        lease_expires_at=LATER + LEASE,
        instances=(an_instance(ip_address=None, heard_at=LATER),),
    )
    assert outcome == Extended(session=kept, license=a_license(), news=None)


def test_a_heartbeat_gives_the_lease_that_the_license_has_now() -> None:
    standing = replace(HELD, license=a_license(lease_for=timedelta(seconds=90)))

    outcome = heartbeat(standing, user_id="ann", now=LATER)

    assert isinstance(outcome, Extended)
    assert outcome.session.lease_expires_at == LATER + timedelta(seconds=90)


def test_a_heartbeat_in_the_last_instant_of_the_lease_keeps_the_seat() -> None:
    standing = HELD

    outcome = heartbeat(standing, user_id="ann", now=NOW + LEASE - INSTANT)

    assert isinstance(outcome, Extended)


def test_a_heartbeat_soon_after_the_last_one_changes_nothing() -> None:
    standing = HELD

    outcome = heartbeat(standing, user_id="ann", now=NOW + EARLY_WITHIN - INSTANT)

    assert outcome == StillFresh(session=a_session(started_at=NOW), license=a_license())


def test_a_heartbeat_is_no_longer_early_after_exactly_a_quarter_of_the_interval() -> None:
    standing = HELD

    outcome = heartbeat(standing, user_id="ann", now=NOW + EARLY_WITHIN)

    assert isinstance(outcome, Extended)


def test_early_is_counted_from_the_last_heartbeat_and_not_from_the_start() -> None:
    kept = replace(
        a_session(started_at=NOW),
        last_heartbeat_at=LATER,
        lease_expires_at=LATER + LEASE,
        instances=(an_instance(heard_at=LATER),),
    )
    standing = replace(HELD, session=kept)

    outcome = heartbeat(standing, user_id="ann", now=LATER + INSTANT)

    assert outcome == StillFresh(session=kept, license=a_license())


def test_a_session_nobody_has_is_not_found() -> None:
    standing = replace(HELD, session=None)

    outcome = heartbeat(standing, user_id="ann", now=LATER)

    assert outcome == SessionNotFound()


def test_the_session_of_another_user_is_not_found() -> None:
    standing = replace(HELD, user=a_user("ben"))

    outcome = heartbeat(standing, user_id="ben", now=LATER)

    assert outcome == SessionNotFound()


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
def test_not_even_an_owner_or_admin_keeps_the_seat_of_another_user(role: Role) -> None:
    standing = replace(HELD, user=a_user("adam", role=role))

    outcome = heartbeat(standing, user_id="adam", now=LATER)

    assert outcome == SessionNotFound()


def test_whether_the_session_of_another_user_has_ended_is_not_told() -> None:
    standing = replace(HELD, session=ended(a_session(), reason=EndReason.RELEASED, now=NOW))

    outcome = heartbeat(standing, user_id="ben", now=LATER)

    assert outcome == SessionNotFound()


def test_a_session_is_over_at_the_very_instant_its_lease_expires() -> None:
    standing = HELD

    outcome = heartbeat(standing, user_id="ann", now=NOW + LEASE)

    assert outcome == lapsed(now=NOW + LEASE)


def test_a_lapsed_session_stays_lapsed_however_free_the_seats_are() -> None:
    standing = replace(HELD, organization=an_organization(seats=None), license=a_license(seats=1_000))

    outcome = heartbeat(standing, user_id="ann", now=NOW + LEASE + timedelta(days=7))

    assert outcome == lapsed(now=NOW + LEASE + timedelta(days=7))


@pytest.mark.parametrize("reason", EndReason)
def test_who_lost_the_seat_learns_why(reason: EndReason) -> None:
    standing = replace(HELD, session=ended(a_session(), reason=reason, now=NOW + INSTANT))

    outcome = heartbeat(standing, user_id="ann", now=LATER)

    assert outcome == SessionOver(reason=reason)


def test_a_session_ended_by_hand_is_over_without_a_reason() -> None:
    standing = replace(HELD, session=replace(a_session(), ended_at=NOW + INSTANT))

    outcome = heartbeat(standing, user_id="ann", now=LATER)

    assert outcome == SessionOver(reason=None)


def test_a_session_whose_lease_ran_out_ends_for_that_reason_when_the_right_goes_too() -> None:
    standing = replace(HELD, organization=replace(an_organization(), is_active=False), license=None)

    outcome = heartbeat(standing, user_id="ann", now=NOW + LEASE)

    assert outcome == lapsed(now=NOW + LEASE)


@pytest.mark.parametrize(
    ("standing", "because", "reason"),
    [
        pytest.param(
            replace(HELD, organization=None),
            OrganizationMissing(),
            EndReason.DOCUMENT_REMOVED,
            id="organization removed",
        ),
        pytest.param(
            replace(HELD, organization=replace(an_organization(), is_active=False)),
            OrganizationInactive(),
            EndReason.ORGANIZATION_DEACTIVATED,
            id="organization deactivated",
        ),
        pytest.param(replace(HELD, user=None), UserMissing(), EndReason.USER_DEACTIVATED, id="user removed"),
        pytest.param(
            replace(HELD, user=replace(a_user(), is_active=False)),
            UserInactive(),
            EndReason.USER_DEACTIVATED,
            id="user deactivated",
        ),
        pytest.param(
            replace(HELD, user=a_user(role=Role.GUEST)),
            RoleNotAllowed(),
            EndReason.USER_DEACTIVATED,
            id="user made a guest",
        ),
        pytest.param(replace(HELD, license=None), LicenseNotFound(), EndReason.DOCUMENT_REMOVED, id="license removed"),
        pytest.param(
            replace(HELD, license=replace(a_license(), is_active=False)),
            LicenseInactive(),
            EndReason.LICENSE_DEACTIVATED,
            id="license deactivated",
        ),
        pytest.param(
            replace(HELD, license=replace(a_license(), expires_at=LATER)),
            LicenseExpired(),
            EndReason.LICENSE_EXPIRED,
            id="license expired",
        ),
    ],
)
def test_a_session_without_the_right_to_its_seat_ends_with_the_reason(
    standing: Standing, because: CallerRefusal | LicenseRefusal, reason: EndReason
) -> None:
    session = a_session(started_at=NOW)

    outcome = heartbeat(standing, user_id="ann", now=LATER)

    assert outcome == Stopped(session=ended(session, reason=reason, now=LATER), because=because)


def test_an_early_heartbeat_too_ends_a_session_without_the_right_to_its_seat() -> None:
    standing = replace(HELD, license=replace(a_license(), is_active=False))

    outcome = heartbeat(standing, user_id="ann", now=NOW + INSTANT)

    assert isinstance(outcome, Stopped)


def test_a_lowered_cap_throws_nobody_out() -> None:
    standing = replace(HELD, organization=an_organization(seats=0), license=a_license(seats=0))

    outcome = heartbeat(standing, user_id="ann", now=LATER)

    assert isinstance(outcome, Extended)


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(replace(HELD, organization=UNUSABLE), id="organization"),
        pytest.param(replace(HELD, user=UNUSABLE), id="user"),
        pytest.param(replace(HELD, license=UNUSABLE), id="license"),
        pytest.param(replace(HELD, session=UNUSABLE), id="session"),
    ],
)
def test_a_misconfigured_document_neither_keeps_nor_ends_a_session(standing: Standing) -> None:
    asked_at = LATER

    outcome = heartbeat(standing, user_id="ann", now=asked_at)

    assert outcome == Misconfigured(unusable=UNUSABLE)


def test_a_longer_lease_is_given_at_the_next_heartbeat_however_early() -> None:
    short = timedelta(seconds=60)
    given_before = replace(a_session(started_at=NOW), lease_expires_at=NOW + short)
    standing = replace(HELD, session=given_before)
    early = NOW + timedelta(seconds=20)

    outcome = heartbeat(standing, user_id="ann", now=early)

    assert isinstance(outcome, Extended)
    assert outcome.session.lease_expires_at == early + LEASE
