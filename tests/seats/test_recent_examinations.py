"""What an examination found is kept for a second, or until the first lease ends, and no longer."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.rules.acquire import Device, Granted, SeatLimitReached
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.recent_examinations import KEPT_FOR, Examined, RecentExaminations
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import WatchedFirestore
from tests.support.tenant import Tenant

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def _asking(tenant: Tenant, user: str) -> AcquireRequest:
    device = Device(hardware_id="d", ip_address=None, user_agent=None)
    return AcquireRequest(user_id=user, license_key=tenant.license_key, device=device)


def test_a_result_holds_to_the_instant_before_its_end() -> None:
    examinations = RecentExaminations()
    kept = Examined(at=NOW, next_to_lapse_at=None)
    examinations.keep("acme", {"cad": kept})

    last, over = (examinations.of("acme", now=NOW + KEPT_FOR - by) for by in (INSTANT, timedelta(0)))

    assert (last, over) == ({"cad": kept}, {})
    assert examinations.of("other", now=NOW) == {}


async def test_refusals_within_a_second_are_examined_once_while_seats_come_and_go(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires, releases = Tenant.create(console, seats=2), Acquires(store, policy), Releases(store, policy)
    first = (await acquires.acquire(tenant.organization_id, _asking(tenant, "m0"))).outcome
    assert isinstance(first, Granted)
    await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))
    store.forget()

    refused = await acquires.acquire(tenant.organization_id, _asking(tenant, "m2"))
    given_back = ReleaseRequest(user_id="m0", session_id=first.session.session_id)
    await releases.release(tenant.organization_id, given_back)
    granted = await acquires.acquire(tenant.organization_id, _asking(tenant, "m3"))
    again = await acquires.acquire(tenant.organization_id, _asking(tenant, "m2"))

    assert isinstance(granted.outcome, Granted)
    assert isinstance(refused.outcome, SeatLimitReached)
    assert isinstance(again.outcome, SeatLimitReached)
    examined = [call for call, _ in store.calls if call in {"count", "select"}]
    if again.now - refused.now < timedelta(seconds=1):
        assert sorted(examined) == ["count", "count", "select"]


@pytest.mark.parametrize("lease_seconds", [60, 360])
async def test_a_lease_that_ends_makes_room_at_once_whatever_is_kept(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, lease_seconds: int
) -> None:
    tenant, acquires = Tenant.create(console, seats=1, lease_seconds=lease_seconds), Acquires(store, policy)
    held = (await acquires.acquire(tenant.organization_id, _asking(tenant, "m0"))).outcome
    assert isinstance(held, Granted)
    ends_in = timedelta(seconds=0.4)
    tenant.session(held.session.session_id).update({"lease_expires_at": datetime.now(UTC) + ends_in})

    refused = await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))
    await asyncio.sleep(ends_in.total_seconds())
    granted = await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))

    assert isinstance(refused.outcome, SeatLimitReached)
    assert isinstance(granted.outcome, Granted)


async def test_an_examination_after_another_one_makes_two_queries_and_one_after_a_pause_three(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console, seats=1), Acquires(store, policy)
    await acquires.acquire(tenant.organization_id, _asking(tenant, "m0"))
    queries, times = [], []

    for pause in (timedelta(0), KEPT_FOR, 2 * KEPT_FOR):
        await asyncio.sleep(pause.total_seconds())
        store.forget()
        answered = await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))
        assert isinstance(answered.outcome, SeatLimitReached)
        queries.append(sorted(call for call, _ in store.calls if call in {"count", "select"}))
        times.append(answered.now)

    if times[1] - times[0] < 2 * KEPT_FOR:
        assert queries[1] == ["count", "select"]
    assert queries[0] == queries[2] == ["count", "count", "select"]
