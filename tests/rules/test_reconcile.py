"""Reconcile: a session ends whose client says nothing and may no longer hold its seat."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from shared.rules.expire import reconcile, revoked
from shared.rules.heartbeat import Standing, Stopped, heartbeat
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import Misconfigured, Unusable
from shared.rules.session import EndReason, Session, ended
from shared.rules.user import Role, User
from tests.rules.make import INSTANT, LEASE, NOW, UNUSABLE, a_license, a_session, a_user, an_organization

LATER = NOW + timedelta(minutes=2)
LAPSES_AT = NOW + LEASE

SESSION = a_session(started_at=NOW)
"""Ann holds a seat since NOW, until LAPSES_AT."""

ACME, ANN, CAD = an_organization(), a_user(), a_license()


@dataclass(frozen=True, kw_only=True)
class Right:
    """What a session's right to its seat hangs on; nothing stands against it unless said."""

    organization: Organization | Unusable | None = ACME
    user: User | Unusable | None = ANN
    license_: License | Unusable | None = CAD

    def reconcile(self, session: Session, *, now: datetime) -> Session | None:
        return reconcile(session, organization=self.organization, user=self.user, license_=self.license_, now=now)


NO_RIGHT = [
    pytest.param(Right(organization=None), EndReason.DOCUMENT_REMOVED, id="organization removed"),
    pytest.param(
        Right(organization=replace(an_organization(), is_active=False)),
        EndReason.ORGANIZATION_DEACTIVATED,
        id="organization deactivated",
    ),
    pytest.param(Right(user=None), EndReason.USER_DEACTIVATED, id="user removed"),
    pytest.param(Right(user=replace(a_user(), is_active=False)), EndReason.USER_DEACTIVATED, id="user deactivated"),
    pytest.param(Right(user=a_user(role=Role.GUEST)), EndReason.USER_DEACTIVATED, id="user made a guest"),
    pytest.param(Right(license_=None), EndReason.DOCUMENT_REMOVED, id="license removed"),
    pytest.param(
        Right(license_=replace(a_license(), is_active=False)), EndReason.LICENSE_DEACTIVATED, id="license deactivated"
    ),
    pytest.param(
        Right(license_=replace(a_license(), expires_at=LATER)), EndReason.LICENSE_EXPIRED, id="license expired"
    ),
]

MISCONFIGURED = [
    pytest.param(Right(organization=UNUSABLE), id="organization"),
    pytest.param(Right(user=UNUSABLE), id="user"),
    pytest.param(Right(license_=UNUSABLE), id="license"),
]


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.MEMBER])
def test_a_live_session_with_a_right_to_its_seat_goes_on(role: Role) -> None:
    right = Right(user=a_user(role=role))

    changed = right.reconcile(SESSION, now=LATER)

    assert changed is None


def test_a_session_in_the_last_instant_of_its_lease_goes_on() -> None:
    right = Right()

    changed = right.reconcile(SESSION, now=LAPSES_AT - INSTANT)

    assert changed is None


def test_a_session_ends_as_expired_at_the_very_instant_its_lease_expires() -> None:
    right = Right()

    changed = right.reconcile(SESSION, now=LAPSES_AT)

    assert changed == ended(SESSION, reason=EndReason.EXPIRED, now=LAPSES_AT)


@pytest.mark.parametrize(("right", "reason"), NO_RIGHT)
def test_a_session_without_the_right_to_its_seat_ends_with_the_reason(right: Right, reason: EndReason) -> None:
    session = SESSION

    changed = right.reconcile(session, now=LATER)

    assert changed == ended(session, reason=reason, now=LATER)


@pytest.mark.parametrize(("right", "reason"), NO_RIGHT)
def test_reconcile_ends_what_the_next_heartbeat_would_have_ended_and_in_the_same_way(
    right: Right, reason: EndReason
) -> None:
    standing = Standing(organization=right.organization, user=right.user, license=right.license_, session=SESSION)
    at_a_heartbeat = heartbeat(standing, user_id="ann", now=LATER)

    changed = right.reconcile(SESSION, now=LATER)

    assert isinstance(at_a_heartbeat, Stopped)
    assert at_a_heartbeat.session == changed
    assert at_a_heartbeat.session.end_reason is reason


@pytest.mark.parametrize(("right", "reason"), NO_RIGHT)
def test_up_to_the_last_instant_of_its_lease_a_session_without_the_right_is_revoked(
    right: Right, reason: EndReason
) -> None:
    now = LAPSES_AT - INSTANT

    changed = right.reconcile(SESSION, now=now)

    assert changed == ended(SESSION, reason=reason, now=now)


@pytest.mark.parametrize(("right", "reason"), NO_RIGHT)
def test_a_lapsed_session_ends_as_expired_whatever_else_stands_against_it(right: Right, reason: EndReason) -> None:
    now = LAPSES_AT

    changed = right.reconcile(SESSION, now=now)

    assert changed == ended(SESSION, reason=EndReason.EXPIRED, now=now)
    assert reason is not EndReason.EXPIRED


@pytest.mark.parametrize(("now", "ends"), [(LATER - INSTANT, False), (LATER, True)])
def test_a_license_is_over_at_the_very_instant_it_expires(now: datetime, ends: bool) -> None:  # noqa: FBT001 a column
    right = Right(license_=replace(a_license(), expires_at=LATER))

    changed = right.reconcile(SESSION, now=now)

    assert (changed is not None) == ends


@pytest.mark.parametrize("right", MISCONFIGURED)
def test_a_misconfigured_document_ends_nothing(right: Right) -> None:
    session = SESSION

    changed = right.reconcile(session, now=LATER)

    assert changed is None


@pytest.mark.parametrize("right", MISCONFIGURED)
def test_a_lapsed_session_ends_although_a_document_is_misconfigured(right: Right) -> None:
    session = SESSION

    changed = right.reconcile(session, now=LAPSES_AT)

    assert changed == ended(session, reason=EndReason.EXPIRED, now=LAPSES_AT)


def test_a_misconfigured_user_hides_that_the_license_is_gone() -> None:
    right = Right(user=UNUSABLE, license_=None)

    changed = right.reconcile(SESSION, now=LATER)

    assert changed is None


def test_a_missing_organization_ends_the_session_although_its_user_is_misconfigured() -> None:
    right = Right(organization=None, user=UNUSABLE)

    changed = right.reconcile(SESSION, now=LATER)

    assert changed == ended(SESSION, reason=EndReason.DOCUMENT_REMOVED, now=LATER)


def test_of_several_reasons_the_organizations_is_given_before_the_users_and_the_users_before_the_licenses() -> None:
    inactive = Right(
        organization=replace(an_organization(), is_active=False),
        user=replace(a_user(), is_active=False),
        license_=replace(a_license(), is_active=False),
    )
    rights = [inactive, replace(inactive, organization=an_organization())]

    changed = [right.reconcile(SESSION, now=LATER) for right in rights]

    reasons = [session and session.end_reason for session in changed]
    assert reasons == [EndReason.ORGANIZATION_DEACTIVATED, EndReason.USER_DEACTIVATED]


@pytest.mark.parametrize("now", [LATER, LAPSES_AT])
@pytest.mark.parametrize("reason", [*EndReason, None])
def test_a_session_that_has_ended_is_not_ended_again(reason: EndReason | None, now: datetime) -> None:
    session = replace(SESSION, ended_at=NOW + INSTANT, end_reason=reason)
    right = Right(organization=None, user=None, license_=None)

    changed = right.reconcile(session, now=now)

    assert changed is None


def test_a_lowered_cap_throws_nobody_out() -> None:
    right = Right(organization=an_organization(seats=0), license_=a_license(seats=0))

    changed = right.reconcile(SESSION, now=LATER)

    assert changed is None


def test_a_shorter_lease_of_the_license_does_not_shorten_the_lease_that_was_given() -> None:
    right = Right(license_=a_license(lease_for=timedelta(seconds=60)))

    changed = right.reconcile(SESSION, now=LATER)

    assert changed is None


def test_nothing_is_revoked_because_a_document_is_misconfigured() -> None:
    because = Misconfigured(unusable=UNUSABLE)

    with pytest.raises(ValueError, match="misconfigured"):
        revoked(SESSION, because=because, now=LATER)
