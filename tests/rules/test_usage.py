"""Usage: who sees what, who holds a seat, and whether there were enough."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.rules.history import DAY, HALF_HOUR, HALF_HOURS, Records, UsageDay, usage_day
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import (
    CallerRefusal,
    Misconfigured,
    OrganizationInactive,
    OrganizationMissing,
    Unusable,
    UserInactive,
    UserMissing,
)
from shared.rules.session import EndReason, ended
from shared.rules.usage import (
    Activity,
    LicenseStatus,
    Visibility,
    activity,
    on_page,
    status_of,
    visibility_of,
    without_shared_keys,
)
from shared.rules.user import Role, User
from tests.rules.make import INSTANT, LEASE, NOW, UNUSABLE, a_license, a_session, a_user, an_organization


@pytest.mark.parametrize(
    ("role", "visibility"),
    [
        (Role.OWNER, Visibility.ALL),
        (Role.ADMIN, Visibility.ALL),
        (Role.MEMBER, Visibility.OWN_SESSIONS),
        (Role.GUEST, Visibility.NOTHING),
    ],
)
def test_a_role_decides_what_is_seen_besides_the_totals(role: Role, visibility: Visibility) -> None:
    user = a_user(role=role)

    seen = visibility_of(organization=an_organization(), user=user)

    assert seen is visibility


@pytest.mark.parametrize(
    ("organization", "user", "refused"),
    [
        pytest.param(
            an_organization(), replace(a_user(role=Role.OWNER), is_active=False), UserInactive(), id="inactive owner"
        ),
        pytest.param(an_organization(), None, UserMissing(), id="user missing"),
        pytest.param(an_organization(), UNUSABLE, Misconfigured(unusable=UNUSABLE), id="user misconfigured"),
        pytest.param(UNUSABLE, a_user(), Misconfigured(unusable=UNUSABLE), id="organization misconfigured"),
        pytest.param(None, a_user(role=Role.OWNER), OrganizationMissing(), id="organization missing"),
        pytest.param(
            replace(an_organization(), is_active=False),
            a_user(role=Role.OWNER),
            OrganizationInactive(),
            id="organization inactive",
        ),
    ],
)
def test_who_is_no_active_member_of_an_active_organization_sees_nothing_at_all(
    organization: Organization | Unusable | None, user: User | Unusable | None, refused: CallerRefusal
) -> None:
    viewer = user

    refusal = visibility_of(organization=organization, user=viewer)

    assert refusal == refused


def test_who_holds_a_seat_longest_comes_first() -> None:
    first, last = a_session("zoe", started_at=NOW - INSTANT), a_session("ann", started_at=NOW)

    shown = on_page([last, first], license_id="cad", now=NOW)

    assert shown == (first, last)


def test_a_license_shows_its_own_sessions_only() -> None:
    own, other = a_session("ann", license_id="cad"), a_session("ben", license_id="render")

    shown = on_page([own, other], license_id="cad", now=NOW)

    assert shown == (own,)


def test_a_lapsed_session_holds_no_seat_from_the_very_instant_its_lease_expires() -> None:
    lapsed, live = a_session("ann"), a_session("ben", started_at=NOW + INSTANT)

    shown = on_page([lapsed, live], license_id="cad", now=NOW + LEASE)

    assert shown == (live,)


def test_an_ended_session_holds_no_seat() -> None:
    released = ended(a_session(), reason=EndReason.RELEASED, now=NOW)

    shown = on_page([released], license_id="cad", now=NOW)

    assert shown == ()


# The last 24 hours, of days that were counted.


def a_day(back: int, *, peaks: Mapping[int, int], denied: Mapping[int, int], people_denied: int = 0) -> UsageDay:
    """Make the day so many days before ``NOW``, with numbers in some of its half hours."""
    day = NOW.date() - back * DAY
    counted = usage_day("cad", day, Records(), computed_at=NOW - timedelta(minutes=20))
    counted = replace(counted, seats=(6,) * HALF_HOURS)
    in_use, denied_people = (tuple(each.get(number, 0) for number in range(HALF_HOURS)) for each in (peaks, denied))
    demand = tuple(each and each + 1 for each in in_use)
    counted = replace(counted, peak_in_use=in_use, peak_demand=demand)
    return replace(counted, denied_people=denied_people, people_denied=people_denied)


TODAY = a_day(0, peaks={3: 5}, denied={3: 2}, people_denied=2)
YESTERDAY = a_day(1, peaks={18: 9, 20: 7}, denied={18: 4, 20: 2, 30: 1}, people_denied=5)


def test_the_last_24_hours_begin_with_the_first_half_hour_that_began_in_them() -> None:
    on_the_hour = activity([TODAY, YESTERDAY], in_use=1, overdraft_in_use=0, waiting=0, now=NOW)
    later = activity([TODAY, YESTERDAY], in_use=1, overdraft_in_use=0, waiting=0, now=NOW + INSTANT)

    assert on_the_hour == Activity(
        begins_at=NOW - DAY,
        computed_at=NOW - timedelta(minutes=20),
        peak_in_use=9,
        peak_demand=10,
        peak_overdraft=3,
        denied_users=2 + 5,
    )
    assert later is not None
    assert later.begins_at == NOW - DAY + HALF_HOUR
    assert (later.peak_in_use, later.peak_demand, later.peak_overdraft) == (7, 8, 1)
    assert later.denied_users == 2 + 3


def test_what_was_not_counted_yet_is_the_peak_if_it_is_more() -> None:
    lately = activity([TODAY], in_use=6, overdraft_in_use=2, waiting=3, now=NOW)

    assert lately is not None
    assert (lately.peak_in_use, lately.peak_demand, lately.peak_overdraft) == (6, 9, 2)


def test_without_a_known_cap_no_seat_is_above_it() -> None:
    lately = activity([replace(TODAY, seats=(None,) * HALF_HOURS)], in_use=0, overdraft_in_use=0, waiting=0, now=NOW)

    assert lately is not None
    assert lately.peak_overdraft == 0


def test_a_license_whose_days_were_never_counted_has_no_last_24_hours() -> None:
    assert activity([], in_use=6, overdraft_in_use=0, waiting=0, now=NOW) is None


def test_a_license_whose_contract_begins_later_says_so() -> None:
    license_ = replace(a_license(), starts_at=NOW + INSTANT)

    assert status_of(license_, now=NOW) is LicenseStatus.NOT_STARTED
    assert status_of(license_, now=NOW + INSTANT) is LicenseStatus.ACTIVE
    assert status_of(replace(license_, is_active=False), now=NOW) is LicenseStatus.INACTIVE


@pytest.mark.parametrize(
    ("license_", "status"),
    [
        pytest.param(a_license(), LicenseStatus.ACTIVE, id="no end"),
        pytest.param(replace(a_license(), expires_at=NOW + INSTANT), LicenseStatus.ACTIVE, id="ends in an instant"),
        pytest.param(replace(a_license(), expires_at=NOW), LicenseStatus.EXPIRED, id="ends now"),
        pytest.param(replace(a_license(), is_active=False), LicenseStatus.INACTIVE, id="deactivated"),
        pytest.param(UNUSABLE, LicenseStatus.MISCONFIGURED, id="misconfigured"),
    ],
)
def test_only_a_license_that_gives_seats_is_active(license_: License | Unusable, status: LicenseStatus) -> None:
    told = status_of(license_, now=NOW)

    assert told is status


def test_of_licenses_that_share_a_key_none_can_be_used() -> None:
    shared, alone = a_license("cad"), a_license("cam")

    usable = without_shared_keys({"a": shared, "b": shared, "c": alone, "d": UNUSABLE})

    assert [each.fields for name in "ab" if isinstance(each := usable[name], Unusable)] == [("license_key",)] * 2
    assert (usable["c"], usable["d"]) == (alone, UNUSABLE)
