"""Release: a seat is given back by its holder, or taken back by who manages seats."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from shared.rules.refusal import Misconfigured, SessionNotFound
from shared.rules.release import MAX_KEPT_OUT, AlreadyEnded, Released, Standing, UntilRefused, release
from shared.rules.session import EndReason, SessionOver, ended
from shared.rules.user import Role
from tests.rules.make import INSTANT, LEASE, NOW, UNUSABLE, a_session, a_user, an_organization

LATER = NOW + timedelta(minutes=2)

OWN = Standing(organization=an_organization(), user=a_user(), session=a_session(started_at=NOW))
"""Ann holds a seat since NOW and gives it back."""

OTHERS = replace(OWN, user=a_user("adam", role=Role.ADMIN))
"""Adam, an admin, takes Ann's seat back."""

KEEPING_OUT = replace(OTHERS, holder=a_user("ann"))
"""The same, and Adam may keep Ann out."""


def _ended(reason: EndReason, at: datetime) -> Released:
    return Released(session=ended(a_session(started_at=NOW), reason=reason, now=at))


def test_who_holds_a_seat_may_give_it_back() -> None:
    standing = OWN

    outcome = release(standing, user_id="ann", now=LATER)

    assert outcome == _ended(EndReason.RELEASED, LATER)


def test_a_seat_given_back_in_the_last_instant_of_its_lease_is_released() -> None:
    at = NOW + LEASE - INSTANT

    outcome = release(OWN, user_id="ann", now=at)

    assert outcome == _ended(EndReason.RELEASED, at)


def test_a_seat_given_back_at_the_very_instant_its_lease_expires_has_expired() -> None:
    at = NOW + LEASE

    outcome = release(OWN, user_id="ann", now=at)

    assert outcome == _ended(EndReason.EXPIRED, at)


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(replace(OWN, organization=None), id="organization removed"),
        pytest.param(
            replace(OWN, organization=replace(an_organization(), is_active=False)), id="organization inactive"
        ),
        pytest.param(replace(OWN, organization=UNUSABLE), id="organization misconfigured"),
        pytest.param(replace(OWN, user=None), id="user removed"),
        pytest.param(replace(OWN, user=replace(a_user(), is_active=False)), id="user inactive"),
        pytest.param(replace(OWN, user=a_user(role=Role.GUEST)), id="guest"),
        pytest.param(replace(OWN, user=UNUSABLE), id="user misconfigured"),
    ],
)
def test_giving_back_ones_own_seat_needs_no_other_right(standing: Standing) -> None:
    asked_at = LATER

    outcome = release(standing, user_id="ann", now=asked_at)

    assert outcome == _ended(EndReason.RELEASED, LATER)


@pytest.mark.parametrize("reason", [*EndReason, None])
def test_giving_back_a_seat_twice_changes_nothing(reason: EndReason | None) -> None:
    standing = replace(OWN, session=replace(a_session(), ended_at=NOW + INSTANT, end_reason=reason))

    outcome = release(standing, user_id="ann", now=LATER)

    assert outcome == AlreadyEnded()


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
def test_an_owner_or_admin_may_take_back_anyones_seat(role: Role) -> None:
    standing = replace(OTHERS, user=a_user("adam", role=role))

    outcome = release(standing, user_id="adam", now=LATER)

    assert outcome == _ended(EndReason.REVOKED_BY_ADMIN, LATER)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
def test_an_owner_or_admin_who_gives_back_the_own_seat_revokes_nothing(role: Role) -> None:
    standing = replace(OWN, user=a_user("ann", role=role))

    outcome = release(standing, user_id="ann", now=LATER)

    assert outcome == _ended(EndReason.RELEASED, LATER)


def test_a_lapsed_seat_that_an_admin_takes_back_has_expired() -> None:
    at = NOW + LEASE

    outcome = release(OTHERS, user_id="adam", now=at)

    assert outcome == _ended(EndReason.EXPIRED, at)


def test_an_admin_who_takes_back_a_seat_twice_changes_nothing() -> None:
    standing = replace(OTHERS, session=ended(a_session(), reason=EndReason.REVOKED_BY_ADMIN, now=NOW))

    outcome = release(standing, user_id="adam", now=LATER)

    assert outcome == AlreadyEnded()


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(replace(OTHERS, user=a_user("adam", role=Role.MEMBER)), id="member"),
        pytest.param(replace(OTHERS, user=a_user("adam", role=Role.GUEST)), id="guest"),
        pytest.param(
            replace(OTHERS, user=replace(a_user("adam", role=Role.OWNER), is_active=False)), id="inactive owner"
        ),
        pytest.param(replace(OTHERS, user=None), id="no user"),
        pytest.param(replace(OTHERS, user=UNUSABLE), id="misconfigured user"),
        pytest.param(
            replace(OTHERS, organization=replace(an_organization(), is_active=False)),
            id="admin of an inactive organization",
        ),
        pytest.param(replace(OTHERS, organization=None), id="admin of no organization"),
        pytest.param(replace(OTHERS, organization=UNUSABLE), id="admin of a misconfigured organization"),
    ],
)
def test_to_who_may_not_take_back_a_seat_it_does_not_exist(standing: Standing) -> None:
    its_end = replace(standing, session=ended(a_session(), reason=EndReason.RELEASED, now=NOW))

    outcomes = [release(asked, user_id="adam", now=LATER) for asked in (standing, its_end)]

    assert outcomes == [SessionNotFound(), SessionNotFound()]


@pytest.mark.parametrize("role", Role)
def test_a_session_nobody_has_is_not_found(role: Role) -> None:
    standing = replace(OWN, user=a_user(role=role), session=None)

    outcome = release(standing, user_id="ann", now=LATER)

    assert outcome == SessionNotFound()


def test_a_session_that_cannot_be_read_is_not_ended() -> None:
    standing = replace(OWN, session=UNUSABLE)

    outcome = release(standing, user_id="ann", now=LATER)

    assert outcome == Misconfigured(unusable=UNUSABLE)


def test_an_admin_who_ends_a_session_until_a_time_keeps_its_user_out_of_that_license() -> None:
    until = LATER + MAX_KEPT_OUT
    others = {"render": LATER + INSTANT, "cad": LATER + timedelta(days=1), "old": LATER}
    standing = replace(KEEPING_OUT, holder=replace(a_user("ann"), kept_out=others))
    elsewhere = until.astimezone(timezone(timedelta(hours=2)))

    outcome = release(standing, user_id="adam", now=LATER, until=elsewhere)

    kept_out = replace(a_user("ann"), kept_out={"render": LATER + INSTANT, "cad": until})
    assert outcome == replace(_ended(EndReason.REVOKED_BY_ADMIN, LATER), kept_out=kept_out)


@pytest.mark.parametrize("until", [LATER, LATER + MAX_KEPT_OUT + INSTANT, datetime.min.replace(tzinfo=LATER.tzinfo)])
def test_a_user_is_kept_out_for_at_most_thirty_days_and_not_until_now(until: datetime) -> None:
    outcome = release(KEEPING_OUT, user_id="adam", now=LATER, until=until)

    assert outcome == UntilRefused(problem="not a time within the next 30 days")


@pytest.mark.parametrize("role", Role)
def test_nobody_keeps_themselves_out(role: Role) -> None:
    standing = replace(OWN, user=a_user(role=role))

    outcome = release(standing, user_id="ann", now=LATER, until=LATER + timedelta(hours=1))

    assert outcome == UntilRefused(problem="counts for the session of another user only")


def test_a_member_keeps_nobody_out() -> None:
    standing = replace(KEEPING_OUT, user=a_user("adam", role=Role.MEMBER))

    outcome = release(standing, user_id="adam", now=LATER, until=LATER + timedelta(hours=1))

    assert outcome == SessionNotFound()


@pytest.mark.parametrize("reason", [*EndReason, None])
def test_a_session_that_ended_before_keeps_nobody_out(reason: EndReason | None) -> None:
    standing = replace(KEEPING_OUT, session=replace(a_session(), ended_at=NOW + INSTANT, end_reason=reason))

    outcome = release(standing, user_id="adam", now=LATER, until=LATER + timedelta(hours=1))

    assert outcome == SessionOver(reason=reason)


def test_a_session_that_lapsed_before_keeps_nobody_out() -> None:
    now = NOW + LEASE

    outcome = release(KEEPING_OUT, user_id="adam", now=now, until=now + timedelta(hours=1))

    assert outcome == SessionOver(reason=EndReason.EXPIRED)


def test_keeping_a_user_out_twice_until_the_same_time_changes_nothing() -> None:
    until = LATER + timedelta(hours=1)
    first = release(KEEPING_OUT, user_id="adam", now=LATER, until=until)
    assert isinstance(first, Released)
    standing = replace(KEEPING_OUT, session=first.session, holder=first.kept_out)

    outcome = release(standing, user_id="adam", now=LATER + INSTANT, until=until)

    assert outcome == AlreadyEnded()


def test_a_user_whose_document_cannot_be_used_is_not_kept_out_and_keeps_the_seat() -> None:
    standing = replace(KEEPING_OUT, holder=UNUSABLE)

    outcome = release(standing, user_id="adam", now=LATER, until=LATER + timedelta(hours=1))

    assert outcome == Misconfigured(unusable=UNUSABLE)
