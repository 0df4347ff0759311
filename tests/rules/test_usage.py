"""Usage: who may see it, and what counts."""

from dataclasses import replace

import pytest

from shared.rules.organization import Organization
from shared.rules.refusal import (
    CallerRefusal,
    Misconfigured,
    OrganizationInactive,
    OrganizationMissing,
    RoleNotAllowed,
    Unusable,
    UserInactive,
    UserMissing,
)
from shared.rules.session import EndReason, ended
from shared.rules.usage import LicenseUsage, Usage, refuse_viewer, usage
from shared.rules.user import Role, User
from tests.rules.make import INSTANT, LEASE, NOW, UNUSABLE, a_license, a_session, a_user, an_organization


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
def test_owners_and_admins_may_see_who_holds_which_seat(role: Role) -> None:
    user = a_user(role=role)

    refusal = refuse_viewer(organization=an_organization(), user=user)

    assert refusal is None


@pytest.mark.parametrize(
    ("organization", "user", "refused"),
    [
        pytest.param(an_organization(), a_user(role=Role.MEMBER), RoleNotAllowed(), id="member"),
        pytest.param(an_organization(), a_user(role=Role.GUEST), RoleNotAllowed(), id="guest"),
        pytest.param(
            an_organization(),
            replace(a_user(role=Role.OWNER), is_active=False),
            UserInactive(),
            id="inactive owner",
        ),
        pytest.param(an_organization(), None, UserMissing(), id="user missing"),
        pytest.param(an_organization(), UNUSABLE, Misconfigured(unusable=UNUSABLE), id="user misconfigured"),
        pytest.param(None, a_user(role=Role.OWNER), OrganizationMissing(), id="organization missing"),
        pytest.param(
            replace(an_organization(), is_active=False),
            a_user(role=Role.OWNER),
            OrganizationInactive(),
            id="organization inactive",
        ),
        pytest.param(
            UNUSABLE, a_user(role=Role.OWNER), Misconfigured(unusable=UNUSABLE), id="organization misconfigured"
        ),
    ],
)
def test_nobody_else_may_see_who_holds_which_seat(
    organization: Organization | Unusable | None, user: User | Unusable | None, refused: CallerRefusal
) -> None:
    viewer = user

    refusal = refuse_viewer(organization=organization, user=viewer)

    assert refusal == refused


def test_each_license_shows_the_sessions_that_hold_its_seats() -> None:
    organization, cad, render = an_organization(), a_license("cad"), a_license("render")
    ann, ben = a_session("ann", license_id="cad"), a_session("ben", license_id="render")

    seen = usage(organization, [("cad", cad), ("render", render)], [ann, ben], now=NOW)

    assert seen == Usage(
        organization=organization,
        licenses=(
            LicenseUsage(license_id="cad", license=cad, sessions=(ann,)),
            LicenseUsage(license_id="render", license=render, sessions=(ben,)),
        ),
        in_use=2,
    )


def test_who_holds_a_seat_longest_comes_first() -> None:
    first, last = a_session("zoe", started_at=NOW - INSTANT), a_session("ann", started_at=NOW)

    seen = usage(an_organization(), [("cad", a_license())], [last, first], now=NOW)

    assert seen.licenses[0].sessions == (first, last)


def test_a_lapsed_session_holds_no_seat_from_the_very_instant_its_lease_expires() -> None:
    lapsed, live = a_session("ann"), a_session("ben", started_at=NOW + INSTANT)

    seen = usage(an_organization(), [("cad", a_license())], [lapsed, live], now=NOW + LEASE)

    assert seen.licenses[0].sessions == (live,)
    assert seen.in_use == 1


def test_an_ended_session_holds_no_seat() -> None:
    released = ended(a_session(), reason=EndReason.RELEASED, now=NOW)

    seen = usage(an_organization(), [("cad", a_license())], [released], now=NOW)

    assert seen.licenses[0].sessions == ()
    assert seen.in_use == 0


def test_a_license_without_sessions_is_shown_empty() -> None:
    organization = an_organization()

    seen = usage(organization, [("cad", a_license())], [], now=NOW)

    assert seen == Usage(
        organization=organization,
        licenses=(LicenseUsage(license_id="cad", license=a_license(), sessions=()),),
        in_use=0,
    )


def test_a_misconfigured_license_still_shows_who_holds_its_seats() -> None:
    session = a_session()

    seen = usage(an_organization(), [("cad", UNUSABLE)], [session], now=NOW)

    assert seen.licenses == (LicenseUsage(license_id="cad", license=UNUSABLE, sessions=(session,)),)


def test_a_session_whose_license_is_gone_counts_for_the_organization_only() -> None:
    orphan = a_session(license_id="removed")

    seen = usage(an_organization(), [("cad", a_license("cad"))], [orphan], now=NOW)

    assert seen.licenses[0].sessions == ()
    assert seen.in_use == 1
