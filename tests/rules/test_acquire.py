"""Acquire: who gets a seat, who keeps one, and who is told why not."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.rules.acquire import (
    AcquireOutcome,
    DeviceLimitReached,
    Granted,
    OrganizationSeatLimitReached,
    Renewed,
    SeatLimitReached,
    Standing,
    acquire,
    earliest_expiry,
)
from shared.rules.refusal import (
    KeptOut,
    LicenseExpired,
    LicenseInactive,
    LicenseNotAllowed,
    LicenseNotFound,
    LicenseNotStarted,
    Misconfigured,
    OrganizationInactive,
    OrganizationMissing,
    RoleNotAllowed,
    UserInactive,
    UserMissing,
)
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason, Session, ended, session_id_of
from shared.rules.user import Role
from tests.rules.make import (
    INSTANT,
    LEASE,
    NOW,
    UNUSABLE,
    a_device,
    a_license,
    a_session,
    a_user,
    an_instance,
    an_organization,
)

FREE = Standing(
    organization=an_organization(), user=a_user(), license=a_license(seats=5), session=None, use=SeatUse(grants=40)
)
"""Ann asks for the first seat of five, and nothing stands against it."""


def test_a_free_seat_is_granted_to_who_asks() -> None:
    standing = replace(FREE, use=SeatUse(by_license={"cad": 3}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == Granted(session=a_session(started_at=NOW), license=a_license(), in_use=4, replaced=None)


def test_a_grant_is_named_after_license_user_and_device() -> None:
    standing = replace(FREE, license=a_license("render"), user=a_user("ben"))

    outcome = acquire(standing, a_device("desktop"), now=NOW)

    assert isinstance(outcome, Granted)
    assert outcome.session.session_id == session_id_of(license_id="render", user_id="ben", hardware_id="desktop")


def test_the_lease_of_a_grant_is_as_long_as_its_license_says() -> None:
    standing = replace(FREE, license=a_license(lease_for=timedelta(seconds=45)))

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Granted)
    assert outcome.session.lease_expires_at == NOW + timedelta(seconds=45)


def test_the_last_seat_of_a_license_is_granted() -> None:
    standing = replace(FREE, use=SeatUse(by_license={"cad": 4}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Granted)
    assert outcome.in_use == 5


def test_a_full_license_refuses_the_next_user() -> None:
    standing = replace(FREE, use=SeatUse(by_license={"cad": 5}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == SeatLimitReached(license_id="cad", in_use=5, max_seats=5)


def test_the_next_device_of_who_holds_a_seat_needs_a_seat_of_its_own() -> None:
    standing = replace(FREE, license=a_license(seats=1), use=SeatUse(by_license={"cad": 1}))

    outcome = acquire(standing, a_device("second laptop"), now=NOW)

    assert outcome == SeatLimitReached(license_id="cad", in_use=1, max_seats=1)


def test_the_seats_of_one_license_do_not_fill_another() -> None:
    standing = replace(FREE, license=a_license(seats=1), use=SeatUse(by_license={"render": 7}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Granted)
    assert outcome.in_use == 1


def test_a_license_without_seats_refuses_everybody() -> None:
    standing = replace(FREE, license=a_license(seats=0))

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == SeatLimitReached(license_id="cad", in_use=0, max_seats=0)


def test_a_license_above_its_lowered_cap_grants_nothing() -> None:
    standing = replace(FREE, license=a_license(seats=2), use=SeatUse(by_license={"cad": 4}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == SeatLimitReached(license_id="cad", in_use=4, max_seats=2)


def test_the_last_seat_of_the_organization_is_granted() -> None:
    standing = replace(FREE, organization=an_organization(seats=4), use=SeatUse(by_license={"cad": 1, "render": 2}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Granted)
    assert outcome.in_use == 2


def test_a_full_organization_refuses_although_the_license_has_a_seat_left() -> None:
    standing = replace(FREE, organization=an_organization(seats=3), use=SeatUse(by_license={"cad": 1, "render": 2}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == OrganizationSeatLimitReached(in_use=3, max_seats=3)


def test_an_organization_with_a_cap_of_zero_refuses_everybody() -> None:
    standing = replace(FREE, organization=an_organization(seats=0))

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == OrganizationSeatLimitReached(in_use=0, max_seats=0)


def test_an_organization_without_a_cap_is_bound_by_its_licenses_only() -> None:
    standing = replace(FREE, organization=an_organization(seats=None), use=SeatUse(by_license={"render": 1_000}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Granted)


def test_when_both_caps_are_reached_the_license_is_named() -> None:
    standing = replace(
        FREE, organization=an_organization(seats=1), license=a_license(seats=1), use=SeatUse(by_license={"cad": 1})
    )

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, SeatLimitReached)


def test_who_holds_a_seat_already_gets_the_same_one_with_a_new_lease() -> None:
    later = NOW + timedelta(minutes=5)
    standing = replace(FREE, session=a_session(started_at=NOW), use=SeatUse(by_license={"cad": 3}))

    outcome = acquire(standing, a_device(), now=later)

    renewed = replace(
        a_session(started_at=NOW),
        last_heartbeat_at=later,
        lease_expires_at=later + LEASE,
        instances=(an_instance(heard_at=later),),
    )
    assert outcome == Renewed(session=renewed, license=a_license(), in_use=3, news=None)


def test_who_holds_a_seat_keeps_it_in_a_full_license_of_a_full_organization() -> None:
    standing = replace(
        FREE,
        organization=an_organization(seats=1),
        license=a_license(seats=1),
        session=a_session(),
        use=SeatUse(by_license={"cad": 1}),
    )

    outcome = acquire(standing, a_device(), now=NOW + INSTANT)

    assert isinstance(outcome, Renewed)


def test_who_holds_a_seat_keeps_it_when_the_caps_are_lowered_to_zero() -> None:
    standing = replace(
        FREE,
        organization=an_organization(seats=0),
        license=a_license(seats=0),
        session=a_session(),
        use=SeatUse(by_license={"cad": 1}),
    )

    outcome = acquire(standing, a_device(), now=NOW + INSTANT)

    assert isinstance(outcome, Renewed)


def test_a_renewed_seat_follows_the_device_to_its_new_address() -> None:
    moved = replace(a_device(), ip_address="198.51.100.1", user_agent="cad/4.3")
    standing = replace(FREE, session=a_session(), use=SeatUse(by_license={"cad": 1}))

    outcome = acquire(standing, moved, now=NOW + INSTANT)

    assert isinstance(outcome, Renewed)
    assert (outcome.session.ip_address, outcome.session.user_agent) == ("198.51.100.1", "cad/4.3")


def test_a_seat_is_renewed_until_the_instant_before_its_lease_expires() -> None:
    session = a_session()
    standing = replace(FREE, session=session, use=SeatUse(by_license={"cad": 1}))

    outcome = acquire(standing, a_device(), now=session.lease_expires_at - INSTANT)

    assert isinstance(outcome, Renewed)


def test_a_lapsed_session_of_the_same_device_ends_in_favour_of_a_new_one() -> None:
    lapsed = a_session()
    now = lapsed.lease_expires_at
    standing = replace(FREE, session=lapsed, use=SeatUse(by_license={"cad": 3}))

    outcome = acquire(standing, a_device(), now=now)

    assert outcome == Granted(
        session=a_session(started_at=now),
        license=a_license(),
        in_use=3,
        replaced=ended(lapsed, reason=EndReason.EXPIRED, now=now),
    )


def test_a_lapsed_session_of_the_same_device_makes_room_for_itself_where_all_is_full() -> None:
    lapsed = a_session()
    standing = replace(
        FREE,
        organization=an_organization(seats=2),
        license=a_license(seats=1),
        session=lapsed,
        use=SeatUse(by_license={"cad": 1, "render": 1}),
    )

    outcome = acquire(standing, a_device(), now=lapsed.lease_expires_at)

    assert isinstance(outcome, Granted)
    assert outcome.in_use == 1


def test_who_let_the_lease_run_out_is_refused_when_the_license_is_above_its_cap() -> None:
    lapsed = a_session()
    standing = replace(FREE, license=a_license(seats=2), session=lapsed, use=SeatUse(by_license={"cad": 3}))

    outcome = acquire(standing, a_device(), now=lapsed.lease_expires_at)

    assert outcome == SeatLimitReached(license_id="cad", in_use=2, max_seats=2)


def test_who_let_the_lease_run_out_is_refused_when_the_organization_is_above_its_cap() -> None:
    lapsed = a_session()
    standing = replace(
        FREE, organization=an_organization(seats=2), session=lapsed, use=SeatUse(by_license={"cad": 1, "render": 2})
    )

    outcome = acquire(standing, a_device(), now=lapsed.lease_expires_at)

    assert outcome == OrganizationSeatLimitReached(in_use=2, max_seats=2)


@pytest.mark.parametrize(
    ("now", "reason"), [(NOW, EndReason.REVOKED_BY_ADMIN), (NOW + LEASE, EndReason.EXPIRED)], ids=["live", "lapsed"]
)
def test_a_session_moved_to_another_license_by_hand_ends_there_and_is_not_renewed_here(
    now: datetime, reason: EndReason
) -> None:
    moved = replace(a_session(), license_id="render")
    standing = replace(FREE, license=a_license(seats=2), session=moved, use=SeatUse(by_license={"cad": 1, "render": 1}))

    outcome = acquire(standing, a_device(), now=now)

    assert isinstance(outcome, Granted)
    assert (outcome.in_use, outcome.replaced) == (2, ended(moved, reason=reason, now=now))


@pytest.mark.parametrize("now", [NOW, NOW + LEASE], ids=["live", "lapsed"])
def test_a_session_moved_to_another_license_by_hand_makes_no_room_in_a_full_one(now: datetime) -> None:
    moved = replace(a_session(), license_id="render")
    standing = replace(FREE, license=a_license(seats=1), session=moved, use=SeatUse(by_license={"cad": 1, "render": 1}))

    outcome = acquire(standing, a_device(), now=now)

    assert outcome == SeatLimitReached(license_id="cad", in_use=1, max_seats=1)


@pytest.mark.parametrize("reason", [*EndReason, None])
def test_a_session_that_has_ended_is_followed_by_a_new_one(reason: EndReason | None) -> None:
    before = replace(a_session(), ended_at=NOW + INSTANT, end_reason=reason)
    now = NOW + 2 * INSTANT
    standing = replace(FREE, session=before, use=SeatUse(by_license={"cad": 3}))

    outcome = acquire(standing, a_device(), now=now)

    assert isinstance(outcome, Granted)
    assert (outcome.session, outcome.in_use, outcome.replaced) == (a_session(started_at=now), 4, None)


def test_a_session_that_has_ended_makes_no_room_in_a_full_license() -> None:
    before = ended(a_session(), reason=EndReason.RELEASED, now=NOW)
    standing = replace(FREE, license=a_license(seats=1), session=before, use=SeatUse(by_license={"cad": 1}))

    outcome = acquire(standing, a_device(), now=NOW + INSTANT)

    assert outcome == SeatLimitReached(license_id="cad", in_use=1, max_seats=1)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.MEMBER])
def test_owners_admins_and_members_may_hold_seats(role: Role) -> None:
    standing = replace(FREE, user=a_user(role=role))

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Granted)


@pytest.mark.parametrize(
    ("standing", "refusal"),
    [
        pytest.param(replace(FREE, organization=None), OrganizationMissing(), id="organization missing"),
        pytest.param(
            replace(FREE, organization=replace(an_organization(), is_active=False)),
            OrganizationInactive(),
            id="organization inactive",
        ),
        pytest.param(replace(FREE, user=None), UserMissing(), id="user missing"),
        pytest.param(replace(FREE, user=replace(a_user(), is_active=False)), UserInactive(), id="user inactive"),
        pytest.param(replace(FREE, user=a_user(role=Role.GUEST)), RoleNotAllowed(), id="guest"),
        pytest.param(replace(FREE, license=None), LicenseNotFound(), id="license not found"),
        pytest.param(
            replace(FREE, license=replace(a_license(), is_active=False)), LicenseInactive(), id="license inactive"
        ),
        pytest.param(
            replace(FREE, license=replace(a_license(), expires_at=NOW)), LicenseExpired(), id="license expired"
        ),
        pytest.param(
            replace(FREE, organization=UNUSABLE), Misconfigured(unusable=UNUSABLE), id="organization misconfigured"
        ),
        pytest.param(replace(FREE, user=UNUSABLE), Misconfigured(unusable=UNUSABLE), id="user misconfigured"),
        pytest.param(replace(FREE, license=UNUSABLE), Misconfigured(unusable=UNUSABLE), id="license misconfigured"),
        pytest.param(replace(FREE, session=UNUSABLE), Misconfigured(unusable=UNUSABLE), id="session misconfigured"),
    ],
)
def test_no_seat_is_granted_without_the_right_to_it(standing: Standing, refusal: AcquireOutcome) -> None:
    device = a_device()

    outcome = acquire(standing, device, now=NOW)

    assert outcome == refusal


@pytest.mark.parametrize(
    ("standing", "refusal"),
    [
        pytest.param(
            replace(FREE, organization=replace(an_organization(), is_active=False)),
            OrganizationInactive(),
            id="organization inactive",
        ),
        pytest.param(replace(FREE, user=replace(a_user(), is_active=False)), UserInactive(), id="user inactive"),
        pytest.param(
            replace(FREE, license=replace(a_license(), is_active=False)), LicenseInactive(), id="license inactive"
        ),
    ],
)
def test_a_seat_already_held_is_not_renewed_without_the_right_to_it(
    standing: Standing, refusal: AcquireOutcome
) -> None:
    holding = replace(standing, session=a_session(), use=SeatUse(by_license={"cad": 1}))

    outcome = acquire(holding, a_device(), now=NOW + INSTANT)

    assert outcome == refusal


def test_who_may_not_act_learns_nothing_about_the_license() -> None:
    standing = replace(FREE, user=replace(a_user(), is_active=False), license=None)

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == UserInactive()


def test_a_missing_right_is_named_before_a_missing_seat() -> None:
    standing = replace(FREE, license=replace(a_license(seats=0), is_active=False))

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == LicenseInactive()


def test_a_license_grants_until_the_instant_before_it_expires() -> None:
    standing = replace(FREE, license=replace(a_license(), expires_at=NOW + INSTANT))

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Granted)


def test_the_earliest_expiry_is_that_of_the_first_live_lease() -> None:
    lapsed, ended_early = a_session("ann"), replace(a_session("ben"), ended_at=NOW)
    first, last = a_session("cleo", started_at=NOW + INSTANT), a_session("dan", started_at=NOW + 2 * INSTANT)

    at = earliest_expiry([last, ended_early, lapsed, first], now=NOW + LEASE)

    assert at == NOW + INSTANT + LEASE


def test_without_a_live_session_there_is_no_earliest_expiry() -> None:
    lapsed, ended_early = a_session("ann"), replace(a_session("ben", started_at=NOW + INSTANT), ended_at=NOW + INSTANT)

    at = earliest_expiry([lapsed, ended_early], now=NOW + LEASE)

    assert at is None


def test_a_user_who_is_kept_out_gets_no_seat_of_that_license_before_the_time() -> None:
    until = NOW + timedelta(hours=2)
    standing = replace(FREE, user=replace(a_user(), kept_out={"cad": until}))

    at_once = acquire(standing, a_device(), now=NOW)
    just_before = acquire(standing, a_device(), now=until - INSTANT)
    then = acquire(standing, a_device(), now=until)
    of_another = acquire(replace(standing, license=a_license("render")), a_device(), now=NOW)

    assert (at_once, just_before) == (KeptOut(until=until), KeptOut(until=until))
    assert isinstance(then, Granted)
    assert isinstance(of_another, Granted)


def test_a_user_who_is_kept_out_keeps_the_seat_that_another_device_still_holds() -> None:
    standing = replace(FREE, user=replace(a_user(), kept_out={"cad": NOW + LEASE * 2}), session=a_session())

    live = acquire(standing, a_device(), now=NOW + LEASE - INSTANT)
    lapsed = acquire(standing, a_device(), now=NOW + LEASE)

    assert isinstance(live, Renewed)
    assert lapsed == KeptOut(until=NOW + LEASE * 2)


# The terms of the license


@pytest.mark.parametrize(
    ("starts_at", "refusal"),
    [(NOW + INSTANT, LicenseNotStarted(starts_at=NOW + INSTANT)), (NOW, None), (NOW - INSTANT, None), (None, None)],
    ids=["before its start", "at its start", "after its start", "without a start"],
)
def test_a_license_gives_seats_from_its_start_on(starts_at: datetime | None, refusal: LicenseNotStarted | None) -> None:
    standing = replace(FREE, license=replace(a_license(), starts_at=starts_at))

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == refusal if refusal else isinstance(outcome, Granted)


@pytest.mark.parametrize(
    ("allowed", "groups", "is_allowed"),
    [
        (None, [], True),
        ({"design"}, ["sales", "design"], True),
        ({"design"}, ["sales"], False),
        ({"design"}, [], False),
        (set(), ["design"], False),
    ],
)
def test_a_license_for_groups_gives_seats_to_their_users_only(
    allowed: set[str] | None, groups: list[str], *, is_allowed: bool
) -> None:
    license_ = replace(a_license(), allowed_groups=None if allowed is None else frozenset(allowed))

    outcome = acquire(replace(FREE, license=license_, user=a_user(groups=groups)), a_device(), now=NOW)

    assert isinstance(outcome, Granted) if is_allowed else outcome == LicenseNotAllowed()


DESKTOP, TABLET = (
    a_session(hardware_id="desktop", started_at=NOW - timedelta(minutes=2)),
    a_session(hardware_id="tablet", started_at=NOW - timedelta(minutes=4)),
)
TWO_DEVICES = replace(a_license(seats=5), max_devices_per_user=2)


def test_a_user_on_as_many_devices_as_the_license_allows_is_told_which_oldest_first() -> None:
    standing = replace(FREE, license=TWO_DEVICES, own=[DESKTOP, TABLET], use=SeatUse(by_license={"cad": 2}))

    outcome = acquire(standing, a_device(), now=NOW)

    ends = TABLET.lease_expires_at
    assert outcome == DeviceLimitReached(own=(TABLET, DESKTOP), max_devices=2, earliest_expiry_at=ends)


def test_a_device_limit_is_asked_before_the_seats_are() -> None:
    standing = replace(FREE, license=TWO_DEVICES, own=[DESKTOP, TABLET], use=SeatUse(by_license={"cad": 5}))

    assert isinstance(acquire(standing, a_device(), now=NOW), DeviceLimitReached)


@pytest.mark.parametrize(
    "over",
    [
        replace(DESKTOP, lease_expires_at=NOW),
        ended(DESKTOP, reason=EndReason.RELEASED, now=NOW),
        a_session(started_at=NOW - LEASE),
    ],
    ids=["a lapsed one", "one that ended", "the asking device's own lapsed one"],
)
def test_a_device_that_holds_no_seat_any_more_does_not_count(over: Session) -> None:
    standing = replace(FREE, license=TWO_DEVICES, own=[over, TABLET], use=SeatUse(by_license={"cad": 2}))

    assert isinstance(acquire(standing, a_device(), now=NOW), Granted)


def test_a_device_limit_is_no_reason_to_refuse_a_device_that_holds_its_seat() -> None:
    held = a_session(started_at=NOW - timedelta(minutes=2))
    license_ = replace(TWO_DEVICES, max_devices_per_user=1)
    standing = replace(FREE, license=license_, session=held, own=[held, TABLET], use=SeatUse(by_license={"cad": 2}))

    assert isinstance(acquire(standing, a_device(), now=NOW), Renewed)


def test_a_reserved_seat_and_its_mark_are_kept_by_a_renewal_whatever_was_edited_since() -> None:
    held = replace(a_session(started_at=NOW - timedelta(minutes=2)), pool="design", is_overdraft=True)
    license_ = replace(
        a_license(),
        allowed_groups=frozenset({"sales"}),
        reservations={"sales": 5},
        starts_at=NOW + LEASE,
        overdraft_seats=0,
    )
    standing = replace(FREE, license=license_, session=held, use=SeatUse(by_license={"cad": 9}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Renewed)
    assert (outcome.session.pool, outcome.session.is_overdraft) == ("design", True)


def test_a_grant_says_whose_reserved_seat_it_is() -> None:
    license_ = replace(a_license(seats=5), reservations={"design": 1})
    standing = replace(FREE, license=license_, user=a_user(groups=["design"]), use=SeatUse(by_license={"cad": 4}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Granted)
    assert (outcome.session.pool, outcome.session.is_overdraft) == ("design", False)


def test_a_lapsed_reserved_seat_of_the_same_device_makes_room_for_itself() -> None:
    lapsed = replace(a_session(started_at=NOW - LEASE), pool="design")
    license_ = replace(a_license(seats=2), reservations={"design": 1})
    use = SeatUse(by_license={"cad": 2}, by_pool={("cad", "design"): 1})
    standing = replace(FREE, license=license_, user=a_user(groups=["design"]), session=lapsed, use=use)

    outcome = acquire(standing, a_device(), now=NOW)

    assert isinstance(outcome, Granted)
    assert (outcome.session.pool, outcome.session.is_overdraft) == ("design", False)


def test_a_user_for_whom_only_others_seats_are_left_is_told_so() -> None:
    license_ = replace(a_license(seats=4), reservations={"design": 2}, overdraft_seats=1)
    standing = replace(FREE, license=license_, use=SeatUse(by_license={"cad": 3}))

    outcome = acquire(standing, a_device(), now=NOW)

    assert outcome == SeatLimitReached(license_id="cad", in_use=3, max_seats=5, reserved_for_others=2)


def test_the_organizations_cap_holds_for_overdraft_and_reserved_seats_too() -> None:
    license_ = replace(a_license(seats=2), reservations={"design": 1}, overdraft_seats=5)
    full = replace(FREE, organization=an_organization(seats=2), use=SeatUse(by_license={"cad": 2}))

    outcomes = [
        acquire(replace(full, license=license_, user=a_user(groups=groups)), a_device(), now=NOW)
        for groups in ([], ["design"])
    ]

    assert outcomes == [OrganizationSeatLimitReached(in_use=2, max_seats=2)] * 2
