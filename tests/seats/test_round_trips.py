"""What each operation costs: calls to Firestore, documents read, writes. Counted, not timed."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import firestore

from shared.admin.review import Reviews
from shared.documents.policy import Policy
from shared.rules.acquire import Device, Granted, SeatLimitReached
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import WatchedFirestore
from tests.support.tenant import Tenant


def _asking(tenant: Tenant, number: int, *, user: str = "") -> AcquireRequest:
    device = Device(hardware_id=f"d{number}", ip_address=None, user_agent=None)
    return AcquireRequest(user_id=user or f"m{number}", license_key=tenant.license_key, device=device)


async def _warm(acquires: Acquires, tenant: Tenant, store: WatchedFirestore) -> None:
    await acquires.acquire(tenant.organization_id, _asking(tenant, 0))
    store.forget()


async def test_an_acquire_alone_is_two_calls_five_reads_and_three_writes(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console, seats=5), Acquires(store, policy)
    await _warm(acquires, tenant, store)

    answered = await acquires.acquire(tenant.organization_id, _asking(tenant, 1))

    assert isinstance(answered.outcome, Granted)
    assert store.calls == [("read", 5), ("commit", 3)]


async def test_the_first_acquire_of_an_organization_that_an_admin_made_only_looks_its_key_up_besides(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    await Reviews(store, policy).review(tenant.organization.path)
    store.forget()

    answered = await Acquires(store, policy).acquire(tenant.organization_id, _asking(tenant, 1))

    assert isinstance(answered.outcome, Granted)
    assert store.calls == [("select", 1), ("read", 5), ("commit", 3)]
    assert tenant.events("usage.repaired") == []


async def test_a_group_of_acquires_is_two_calls_whatever_its_size(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console, seats=200, members=1), Acquires(store, policy)
    await _warm(acquires, tenant, store)

    answers = await asyncio.gather(
        *(acquires.acquire(tenant.organization_id, _asking(tenant, n, user="m0")) for n in range(1, 151))
    )

    assert all(isinstance(answer.outcome, Granted) for answer in answers)
    assert store.calls == [("read", 4 + 150), ("commit", 2 * 150 + 1)]


async def test_a_group_of_refusals_is_five_calls_in_four_round_trips_and_reads_nothing_for_its_denials(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console, seats=1, members=2), Acquires(store, policy)
    await _warm(acquires, tenant, store)

    answers = await asyncio.gather(
        *(acquires.acquire(tenant.organization_id, _asking(tenant, n, user=f"m{n % 2}")) for n in range(1, 101))
    )

    assert all(isinstance(answer.outcome, SeatLimitReached) for answer in answers)
    assert store.calls[0] == ("read", 5 + 100)
    assert Counter(store.calls[1:4]) == Counter([("count", 1), ("count", 1), ("select", 1)])
    assert store.calls[4:] == [("commit", 2)], "one write for each user"
    assert [event["details"]["attempts"] for event in tenant.events("session.denied")] == [50, 50]


@pytest.mark.parametrize(("minutes", "calls"), [(14, 6), (16, 7)])
async def test_a_seat_whose_lease_ran_out_long_ago_is_found_with_one_query_more(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, minutes: int, calls: int
) -> None:
    tenant, acquires = Tenant.create(console, seats=1), Acquires(store, policy)
    held = await acquires.acquire(tenant.organization_id, _asking(tenant, 0))
    assert isinstance(held.outcome, Granted)
    tenant.let_lapse(held.outcome.session.session_id, since=timedelta(minutes=minutes))
    store.forget()

    answered = await acquires.acquire(tenant.organization_id, _asking(tenant, 1))

    assert isinstance(answered.outcome, Granted)
    assert len(store.calls) == calls
    assert len(tenant.open_sessions()) == tenant.counters()["total"] == 1


async def test_a_renewal_leaves_the_counters_alone(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console, seats=5), Acquires(store, policy)
    await _warm(acquires, tenant, store)

    await acquires.acquire(tenant.organization_id, _asking(tenant, 0))

    assert store.calls == [("read", 5), ("commit", 1)]


async def test_a_heartbeat_is_two_calls_four_reads_and_one_write_once_the_instance_knows_the_session(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, heartbeats = Tenant.create(console, seats=5), Heartbeats(store, policy)
    answered = await Acquires(store, policy).acquire(tenant.organization_id, _asking(tenant, 0))
    assert isinstance(answered.outcome, Granted)
    request = HeartbeatRequest(user_id="m0", session_id=answered.outcome.session.session_id)
    costs = []
    for _ in range(2):
        tenant.session(request.session_id).update({"last_heartbeat_at": datetime.now(UTC) - timedelta(minutes=2)})
        store.forget()
        await heartbeats.heartbeat(tenant.organization_id, request)
        costs.append(list(store.calls))

    assert costs == [[("read", 3), ("read", 1), ("commit", 1)], [("read", 4), ("commit", 1)]]


async def test_an_early_heartbeat_is_one_call_and_no_write(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, heartbeats = Tenant.create(console, seats=5), Heartbeats(store, policy)
    answered = await Acquires(store, policy).acquire(tenant.organization_id, _asking(tenant, 0))
    assert isinstance(answered.outcome, Granted)
    request = HeartbeatRequest(user_id="m0", session_id=answered.outcome.session.session_id)
    await heartbeats.heartbeat(tenant.organization_id, request)
    store.forget()

    await heartbeats.heartbeat(tenant.organization_id, request)

    assert store.calls == [("read", 4)]


@pytest.mark.parametrize("size", [1, 50])
async def test_a_group_of_releases_is_two_calls(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, size: int
) -> None:
    tenant, acquires, releases = (
        Tenant.create(console, seats=60, members=1),
        Acquires(store, policy),
        Releases(store, policy),
    )
    granted = await asyncio.gather(
        *(acquires.acquire(tenant.organization_id, _asking(tenant, n, user="m0")) for n in range(size))
    )
    ids = [answer.outcome.session.session_id for answer in granted if isinstance(answer.outcome, Granted)]
    store.forget()

    await asyncio.gather(
        *(releases.release(tenant.organization_id, ReleaseRequest(user_id="m0", session_id=each)) for each in ids)
    )

    assert store.calls == [("read", size), ("commit", 2 * size + 1)]
    assert tenant.counters()["total"] == 0


async def test_who_asks_for_a_seat_of_another_is_looked_up_in_one_call_more(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, releases = Tenant.create(console, seats=5, members=1), Releases(store, policy)
    answered = await Acquires(store, policy).acquire(tenant.organization_id, _asking(tenant, 0, user="m0"))
    assert isinstance(answered.outcome, Granted)
    store.forget()

    request = ReleaseRequest(user_id="olivia", session_id=answered.outcome.session.session_id)
    await releases.release(tenant.organization_id, request)

    assert store.calls == [("read", 1), ("read", 2), ("commit", 3)]
    assert tenant.counters()["total"] == 0
