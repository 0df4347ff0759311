"""Usage: who sees what, who holds a seat, and whether there were enough."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.rules.audit import AuditType
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
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason, ended
from shared.rules.usage import (
    Activity,
    LicenseStatus,
    SeatEvent,
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


# Activity. Events come newest first: the lists below are read from the right.


def happened(kind: AuditType, user_id: str = "ann", *, license_id: str = "cad", attempts: int = 1) -> SeatEvent:
    return SeatEvent(at=NOW, type=kind, license_id=license_id, user_id=user_id, attempts=attempts)


DAY_AGO = NOW - timedelta(days=1)
TAKEN, RELEASED, EXPIRED, REVOKED, DENIED = (
    happened(kind)
    for kind in (AuditType.ACQUIRED, AuditType.RELEASED, AuditType.EXPIRED, AuditType.REVOKED, AuditType.DENIED)
)


def _activity(events: list[SeatEvent], *, open_now: int) -> Activity:
    use = SeatUse(by_license={"cad": open_now})
    return activity("cad", a_license(), events, open_now=use, begins_at=DAY_AGO)


@pytest.mark.parametrize(
    ("events", "open_now", "peak"),
    [
        ([], 0, 0),
        ([], 3, 3),
        ([TAKEN, TAKEN], 2, 2),
        ([RELEASED, TAKEN], 0, 1),
        ([RELEASED, EXPIRED, REVOKED], 2, 5),
        ([TAKEN, RELEASED, TAKEN, RELEASED], 4, 4),
        ([RELEASED, TAKEN, RELEASED, TAKEN], 4, 5),
        ([RELEASED, RELEASED, TAKEN, TAKEN, TAKEN], 1, 3),
        ([DENIED, DENIED], 1, 1),
    ],
)
def test_the_peak_is_the_most_that_was_in_use_at_any_time(events: list[SeatEvent], open_now: int, peak: int) -> None:
    one_after_another = [replace(event, at=NOW - age * INSTANT) for age, event in enumerate(events)]

    lately = _activity(one_after_another, open_now=open_now)

    assert lately.peak_in_use == peak


@pytest.mark.parametrize(
    ("events", "open_now", "reserved_now", "peak"),
    [
        ([], 4, 1, 1),
        ([RELEASED, RELEASED, TAKEN], 2, 1, 1),
        ([RELEASED], 2, 0, 1),
        ([replace(RELEASED, pool="design")], 2, 0, 0),
        ([RELEASED] * 9, 2, 1, 2),
    ],
    ids=["now", "before two were given back", "in the common pool alone", "a reserved one is none", "never above it"],
)
def test_the_peak_of_overdraft_is_what_was_above_the_license_or_its_common_pool(
    events: list[SeatEvent], open_now: int, reserved_now: int, peak: int
) -> None:
    license_ = replace(a_license(seats=3), reservations={"design": 1}, overdraft_seats=2)  # two common ones
    use = SeatUse(by_license={"cad": open_now}, by_pool={("cad", "design"): reserved_now})
    one_after_another = [replace(event, at=NOW - age * INSTANT) for age, event in enumerate(events)]

    lately = activity("cad", license_, one_after_another, open_now=use, begins_at=DAY_AGO)

    assert lately.peak_overdraft == peak


def test_a_license_whose_contract_begins_later_says_so() -> None:
    license_ = replace(a_license(), starts_at=NOW + INSTANT)

    assert status_of(license_, now=NOW) is LicenseStatus.NOT_STARTED
    assert status_of(license_, now=NOW + INSTANT) is LicenseStatus.ACTIVE
    assert status_of(replace(license_, is_active=False), now=NOW) is LicenseStatus.INACTIVE


@pytest.mark.parametrize("events", [[EXPIRED, TAKEN], [TAKEN, EXPIRED], [EXPIRED, EXPIRED, TAKEN, TAKEN]])
def test_who_takes_a_seat_in_the_commit_that_ended_another_does_not_raise_the_peak(events: list[SeatEvent]) -> None:
    # A query gives what has one time in the order of names, which are hashes.
    assert _activity(events, open_now=10).peak_in_use == 10


def test_people_are_counted_once_however_often_they_tried() -> None:
    events = [
        happened(AuditType.DENIED, "ann", attempts=3),
        happened(AuditType.DENIED, "ben"),
        happened(AuditType.DENIED, "ann", attempts=2),
    ]

    lately = _activity(events, open_now=0)

    assert lately == Activity(begins_at=DAY_AGO, peak_in_use=0, peak_overdraft=0, denied_users=2, denied_attempts=6)


def test_another_licenses_events_do_not_count() -> None:
    events = [
        happened(AuditType.RELEASED, license_id="render"),
        happened(AuditType.DENIED, license_id="render"),
    ]

    lately = _activity(events, open_now=1)

    assert lately == Activity(begins_at=DAY_AGO, peak_in_use=1, peak_overdraft=0, denied_users=0, denied_attempts=0)


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
