"""Pools and device limits over the store: counters follow the sessions, and repairs find what an admin edited."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.rules.acquire import AcquireOutcome, Device, DeviceLimitReached, Granted, Renewed, SeatLimitReached
from shared.rules.heartbeat import Extended
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.expire import Expiries
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.reconcile import Reconciliations
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant

A_MINUTE = timedelta(minutes=1)


def reserved(console: firestore.Client, **fields: Any) -> Tenant:  # noqa: ANN401 a document holds anything
    """Four seats: two reserved for design, to which m0, m1 and m2 belong, and two common ones."""
    tenant = Tenant.create(console, **{"seats": 4, "reservations": {"design": 2}, **fields})
    for number in range(3):
        tenant.user(f"m{number}").update({"groups": ["design"]})
    return tenant


async def ask(
    store: WatchedFirestore, policy: Policy, tenant: Tenant, user_id: str, hardware_id: str = "d"
) -> AcquireOutcome:
    device = Device(hardware_id=hardware_id, ip_address=None, user_agent=None)
    request = AcquireRequest(user_id=user_id, license_key=tenant.license_key, device=device)
    return (await Acquires(store, policy).acquire(tenant.organization_id, request)).outcome


async def hold(store: WatchedFirestore, policy: Policy, tenant: Tenant, user_id: str, hardware_id: str = "d") -> str:
    outcome = await ask(store, policy, tenant, user_id, hardware_id)
    assert isinstance(outcome, Granted)
    return outcome.session.session_id


async def reconcile(store: WatchedFirestore, policy: Policy) -> int:
    """Reconcile, and say how many organizations had wrong counters."""
    report = await Reconciliations(store, policy, run_within=A_MINUTE).reconcile()
    assert report.organizations_failed == 0
    return report.counters_repaired


def by_pool(tenant: Tenant) -> dict[str, int]:
    """The reserved seats of the license that are in use, as the counters have it."""
    return {group: seats for group, seats in tenant.counters()["by_pool"].get(LICENSE_ID, {}).items() if seats}


# Counters


async def test_a_license_without_reservations_writes_nothing_to_the_counters_of_pools(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)

    for user_id in ("m0", "m1"):
        await hold(store, policy, tenant, user_id)

    assert tenant.counters()["by_pool"] == {}


@pytest.mark.parametrize(
    "slip",
    [
        firestore.DELETE_FIELD,
        None,
        "many",
        {},
        {LICENSE_ID: 1},
        {LICENSE_ID: {}},
        {LICENSE_ID: {"design": 2}},
        {LICENSE_ID: {"design": -1}},
        {LICENSE_ID: {"design": "one"}},
        {LICENSE_ID: {"design": 1, "render": 1}},
        {LICENSE_ID: {"render": 1}},
        {LICENSE_ID: {"design": 1}, "ghost": {"design": 3}},
    ],
    ids=str,
)
async def test_counters_of_pools_that_an_admin_edited_are_taken_from_the_sessions_again(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, slip: object
) -> None:
    tenant = reserved(console)
    await hold(store, policy, tenant, "m0")
    await hold(store, policy, tenant, "m3")
    tenant.seats.update({"by_pool": slip})

    repaired = await reconcile(store, policy)

    assert repaired == 1
    assert tenant.counters()["by_pool"] == {LICENSE_ID: {"design": 1}}
    (event,) = tenant.events("usage.repaired")
    pools = [{"group": "design", "in_use": 1}]
    assert event["details"]["after"] == [{"license_id": LICENSE_ID, "in_use": 2, "pools": pools}]
    assert await reconcile(store, policy) == 0


@pytest.mark.parametrize("slip", [{}, {LICENSE_ID: {"design": 9}}], ids=["reset", "raised"])
async def test_an_acquire_believes_no_edited_counters_of_pools(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, slip: dict[str, Any]
) -> None:
    tenant = reserved(console, seats=2)
    await hold(store, policy, tenant, "m0")
    tenant.seats.update({"by_pool": slip})

    second, third = await ask(store, policy, tenant, "m1"), await ask(store, policy, tenant, "m2")

    assert isinstance(second, Granted)
    assert isinstance(third, SeatLimitReached)
    assert by_pool(tenant) == {"design": 2}


@pytest.mark.parametrize(
    ("user_id", "pool", "counted"),
    [
        ("m0", "render", {"render": 1, "design": 1}),
        ("m0", None, {"design": 1}),
        ("m0", "NO GROUP", {"design": 1}),
        ("m0", 7, {"design": 1}),
        ("m3", "design", {"design": 3}),
        ("m3", "sales", {"design": 2, "sales": 1}),
    ],
    ids=["another pool", "none", "no group", "a number", "a common seat put into a pool", "into one that is none"],
)
async def test_a_pool_that_an_admin_typed_into_a_session_is_where_it_counts(
    store: WatchedFirestore,
    console: firestore.Client,
    policy: Policy,
    user_id: str,
    pool: object,
    counted: dict[str, int],
) -> None:
    tenant = reserved(console)
    sessions = {each: await hold(store, policy, tenant, each) for each in ("m0", "m1", "m3")}
    tenant.session(sessions[user_id]).update({"pool": pool})

    repaired = await reconcile(store, policy)

    assert repaired == 1
    assert by_pool(tenant) == counted
    assert tenant.counters()["total"] == 3


async def test_a_pool_that_an_admin_typed_into_a_session_is_mended_when_the_session_ends_before_a_run(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = reserved(console, seats=3)
    session_id = await hold(store, policy, tenant, "m3")
    tenant.session(session_id).update({"pool": "design"})

    request = ReleaseRequest(user_id="m3", session_id=session_id)
    await Releases(store, policy).release(tenant.organization_id, request)
    outcomes = [await ask(store, policy, tenant, user_id) for user_id in ("m0", "m1", "m3", "m4")]

    assert [type(outcome) for outcome in outcomes] == [Granted, Granted, Granted, SeatLimitReached]
    assert by_pool(tenant) == {"design": 2}
    assert await reconcile(store, policy) == 0


# Ends


async def _released(store: WatchedFirestore, policy: Policy, tenant: Tenant, session_id: str) -> None:
    request = ReleaseRequest(user_id="m0", session_id=session_id)
    await Releases(store, policy).release(tenant.organization_id, request)


async def _idle(store: WatchedFirestore, policy: Policy, tenant: Tenant, session_id: str) -> None:
    tenant.license().update({"idle_seconds": 60})
    request = HeartbeatRequest(user_id="m0", session_id=session_id, idle_for=A_MINUTE)
    await Heartbeats(store, policy).heartbeat(tenant.organization_id, request)


async def _expired(store: WatchedFirestore, policy: Policy, tenant: Tenant, session_id: str) -> None:
    tenant.let_lapse(session_id)
    await Expiries(store, policy, run_within=A_MINUTE).expire()


async def _revoked(store: WatchedFirestore, policy: Policy, tenant: Tenant, _session_id: str) -> None:
    tenant.user("m0").update({"is_active": False})
    await reconcile(store, policy)


async def _ended_by_hand(store: WatchedFirestore, policy: Policy, tenant: Tenant, session_id: str) -> None:
    tenant.session(session_id).update({"ended_at": datetime.now(UTC)})
    await reconcile(store, policy)


@pytest.mark.parametrize("end", [_released, _idle, _expired, _revoked, _ended_by_hand])
async def test_a_reserved_seat_is_free_again_whatever_ended_its_session(
    store: WatchedFirestore,
    console: firestore.Client,
    policy: Policy,
    end: Callable[[WatchedFirestore, Policy, Tenant, str], Awaitable[None]],
) -> None:
    tenant = reserved(console)
    session_id = await hold(store, policy, tenant, "m0")
    await hold(store, policy, tenant, "m1")

    await end(store, policy, tenant, session_id)

    assert by_pool(tenant) == {"design": 1}
    (event,) = [each for each in tenant.events() if each["session_id"] == session_id and "reason" in each["details"]]
    assert event["details"]["pool"] == "design"
    assert isinstance(await ask(store, policy, tenant, "m2"), Granted)
    assert by_pool(tenant) == {"design": 2}
    assert await reconcile(store, policy) == 0


async def test_lapsed_reserved_seats_are_given_away_in_the_commit_that_ends_them(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = reserved(console, seats=2)  # no common one
    for user_id in ("m0", "m1"):
        tenant.let_lapse(await hold(store, policy, tenant, user_id))

    granted = await ask(store, policy, tenant, "m2")

    assert isinstance(granted, Granted)
    assert granted.session.pool == "design"
    assert {event["at"] for event in tenant.events("session.expired")} == {granted.session.started_at}
    assert by_pool(tenant) == {"design": 1}
    assert await reconcile(store, policy) == 0


# Edits while seats are in use


async def test_edits_of_the_terms_throw_no_user_out_and_give_no_seat_twice(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = reserved(console)
    sessions = {each: await hold(store, policy, tenant, each) for each in ("m0", "m1", "m3")}
    for user_id in ("m0", "m1"):
        tenant.user(user_id).update({"groups": []})
    edit = {"reservations": {"render": 4}, "allowed_groups": ["sales"], "max_devices_per_user": 1}
    tenant.license().update({**edit, "starts_at": datetime.now(UTC) + timedelta(days=1)})

    for user_id, session_id in sessions.items():
        tenant.session(session_id).update({"last_heartbeat_at": datetime.now(UTC) - timedelta(minutes=2)})
        beat = HeartbeatRequest(user_id=user_id, session_id=session_id)
        kept = await Heartbeats(store, policy).heartbeat(tenant.organization_id, beat)
        assert isinstance(kept.outcome, Extended)
        renewed = await ask(store, policy, tenant, user_id)
        assert isinstance(renewed, Renewed)
        assert renewed.session.pool == (None if user_id == "m3" else "design")

    assert await reconcile(store, policy) == 0
    assert by_pool(tenant) == {"design": 2}
    tenant.license().update({"allowed_groups": None, "starts_at": None})
    tenant.user("m4").update({"groups": ["render"]})
    assert isinstance(await ask(store, policy, tenant, "m4"), Granted)
    assert isinstance(await ask(store, policy, tenant, "olivia"), SeatLimitReached), "the fourth seat was the last"


# Devices


async def test_lapsed_devices_of_a_user_end_in_the_commit_that_gives_the_next_one_its_seat(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=9, max_devices_per_user=2)
    for session_id in [await hold(store, policy, tenant, "m0", each) for each in ("desktop", "laptop")]:
        tenant.let_lapse(session_id)
    other = await hold(store, policy, tenant, "m1")
    tenant.let_lapse(other)

    granted = await ask(store, policy, tenant, "m0", "tablet")

    assert isinstance(granted, Granted)
    ended = tenant.events("session.expired")
    assert len(ended) == 2, "those of another user are not looked at"
    assert {event["at"] for event in ended} == {granted.session.started_at}
    assert tenant.counters()["total"] == len(tenant.open_sessions()) == 2


async def test_a_refusal_at_the_device_limit_names_the_devices_that_are_live_and_ends_the_others(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=9, max_devices_per_user=2)
    lapsed, live = [await hold(store, policy, tenant, "m0", each) for each in ("desktop", "laptop")]
    tenant.let_lapse(lapsed)
    tenant.license().update({"max_devices_per_user": 1})

    refused = await ask(store, policy, tenant, "m0", "phone")

    assert isinstance(refused, DeviceLimitReached)
    assert [session.session_id for session in refused.own] == [live]
    assert tenant.counters()["total"] == len(tenant.open_sessions()) == 1


async def test_a_device_limit_counts_the_devices_of_one_license_only(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, max_devices_per_user=1)
    tenant.add_license("license-2", f"{tenant.license_key}-2", seats=3, max_devices_per_user=1)
    await hold(store, policy, tenant, "m0", "laptop")
    device = Device(hardware_id="desktop", ip_address=None, user_agent=None)

    request = AcquireRequest(user_id="m0", license_key=f"{tenant.license_key}-2", device=device)
    elsewhere = await Acquires(store, policy).acquire(tenant.organization_id, request)

    assert isinstance(elsewhere.outcome, Granted)
    assert isinstance(await ask(store, policy, tenant, "m0", "desktop"), DeviceLimitReached)
