"""What an examination found is kept for a second, or until the first lease ends, and no longer."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.rules.acquire import Device, Granted, SeatLimitReached
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.recent_examinations import AGES_AFTER, KEPT_FOR, Examined, RecentExaminations
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
    examinations.keep("acme", {"cad": kept}, now=NOW)

    last, over = (examinations.of("acme", now=kept.until - by) for by in (INSTANT, timedelta(0)))

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


def test_a_late_answer_replaces_no_later_result() -> None:
    examinations = RecentExaminations()
    earlier, later = (Examined(at=NOW + by, next_to_lapse_at=None) for by in (timedelta(0), INSTANT))

    examinations.keep("acme", {"cad": later}, now=NOW + INSTANT)
    examinations.keep("acme", {"cad": earlier}, now=NOW + INSTANT)

    assert examinations.of("acme", now=NOW + INSTANT) == {"cad": later}


async def test_while_refusals_go_on_none_of_them_waits_for_the_next_examination(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, acquires = Tenant.create(console, seats=1), Acquires(store, policy)
    await acquires.acquire(tenant.organization_id, _asking(tenant, "m0"))
    first = await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))
    examining, let_go, count = asyncio.Event(), asyncio.Event(), store.count

    async def held_count(*asked: Any, **at: Any) -> int:  # noqa: ANN401 passed on as they are
        examining.set()
        await let_go.wait()
        return int(await count(*asked, **at))

    monkeypatch.setattr(store, "count", held_count)
    await asyncio.sleep(AGES_AFTER.total_seconds())
    second = await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))
    await examining.wait()
    let_go.set()
    await asyncio.sleep((KEPT_FOR - AGES_AFTER).total_seconds())
    store.forget()
    third = await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))

    assert all(isinstance(each.outcome, SeatLimitReached) for each in (first, second, third))
    if third.now - second.now < KEPT_FOR:
        assert [call for call, _ in store.calls][:2] == ["read", "commit"], (
            "the third rests on what was found meanwhile"
        )


async def test_what_an_examination_ahead_finds_wrong_is_left_to_the_next_refusal(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console, seats=1), Acquires(store, policy)
    held = (await acquires.acquire(tenant.organization_id, _asking(tenant, "m0"))).outcome
    assert isinstance(held, Granted)
    await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))
    tenant.let_lapse(held.session.session_id)

    await asyncio.sleep(AGES_AFTER.total_seconds())
    await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))
    await asyncio.sleep((KEPT_FOR - AGES_AFTER).total_seconds())
    granted = await acquires.acquire(tenant.organization_id, _asking(tenant, "m1"))

    assert isinstance(granted.outcome, Granted)
