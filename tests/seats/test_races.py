"""Races between two instances, played move by move: the loser reads again and tells the truth."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.firestore.errors import StoreUnavailable
from shared.rules.acquire import Borrowed, Device, DeviceLimitReached, Granted, Renewed, SeatLimitReached
from shared.rules.borrowing import BorrowedSeatsLimitReached
from shared.rules.heartbeat import Stopped
from shared.rules.refusal import UserInactive
from shared.rules.release import Released
from shared.rules.session import EndReason, SessionOver
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import HeldCommit, WatchedFirestore
from tests.support.tenant import Tenant


def _asking(tenant: Tenant, user: str, hardware_id: str = "d") -> AcquireRequest:
    device = Device(hardware_id=hardware_id, ip_address=None, user_agent=None)
    return AcquireRequest(user_id=user, license_key=tenant.license_key, device=device)


async def test_of_two_instances_that_saw_the_same_last_seat_only_one_gives_it_away(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=2)
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    await fast.acquire(tenant.organization_id, _asking(tenant, "m0"))
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()

    first = await fast.acquire(tenant.organization_id, _asking(tenant, "m2"))
    halt.let_go.set()
    second = await late

    assert isinstance(first.outcome, Granted)
    assert isinstance(second.outcome, SeatLimitReached)
    # What is written the second time is the denial.
    assert halt.outcomes == ["conflict", "written"]
    assert len(tenant.open_sessions()) == 2


async def test_of_two_instances_that_saw_the_same_last_reserved_seat_only_one_gives_it_away(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=3, reservations={"design": 2})
    for number in range(3):
        tenant.user(f"m{number}").update({"groups": ["design"]})
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    for user in ("m0", "m3"):  # one reserved seat, and the common one
        await fast.acquire(tenant.organization_id, _asking(tenant, user))
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()

    first = await fast.acquire(tenant.organization_id, _asking(tenant, "m2"))
    halt.let_go.set()

    assert isinstance(first.outcome, Granted)
    assert isinstance((await late).outcome, SeatLimitReached)
    assert halt.outcomes == ["conflict", "written"]
    assert tenant.counters()["by_pool"] == {"license-1": {"design": 2}}


async def test_of_two_instances_that_saw_room_for_the_same_last_device_of_a_user_only_one_gives_it_a_seat(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=9, max_devices_per_user=2)
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    await fast.acquire(tenant.organization_id, _asking(tenant, "m0", "desktop"))
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m0", "laptop")))
    await halt.reached.wait()

    first = await fast.acquire(tenant.organization_id, _asking(tenant, "m0", "tablet"))
    halt.let_go.set()
    second = (await late).outcome

    assert isinstance(first.outcome, Granted)
    assert isinstance(second, DeviceLimitReached)
    assert {session.hardware_id for session in second.own} == {"desktop", "tablet"}
    assert halt.outcomes == ["conflict"]
    assert len(tenant.open_sessions()) == tenant.counters()["total"] == 2


async def test_of_fifty_held_seats_that_two_instances_lend_at_once_exactly_ten_are_borrowed(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=50, max_borrow_seconds=86_400, max_borrowed_seats=10)
    instances = Acquires(store, policy), Acquires(another_store, policy)
    held = [_asking(tenant, "m0", f"laptop-{number}") for number in range(50)]
    await asyncio.gather(*(instances[0].acquire(tenant.organization_id, each) for each in held))
    until = datetime.now(UTC) + timedelta(hours=12)

    answers = await asyncio.gather(
        *(
            instances[number % 2].acquire(tenant.organization_id, replace(each, borrow_until=until))
            for number, each in enumerate(held)
        )
    )

    assert Counter(type(answer.outcome) for answer in answers) == {Borrowed: 10, BorrowedSeatsLimitReached: 40}
    lent = [session for session in tenant.open_sessions() if session["borrowed_until"] is not None]
    assert (len(lent), len(tenant.open_sessions())) == (10, 50)
    assert len(tenant.events("session.borrowed")) == 10


async def test_two_instances_that_open_an_organizations_books_at_once_do_it_once(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=1)
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m0")))
    await halt.reached.wait()

    await fast.acquire(tenant.organization_id, _asking(tenant, "m1"))
    halt.let_go.set()

    assert isinstance((await late).outcome, SeatLimitReached)
    assert tenant.counters()["total"] == 1


async def test_a_release_does_not_make_an_acquire_start_over(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=3)
    acquires, releases = Acquires(store, policy), Releases(another_store, policy)
    held = await acquires.acquire(tenant.organization_id, _asking(tenant, "m0"))
    assert isinstance(held.outcome, Granted)
    halt = HeldCommit(store)
    acquiring = asyncio.create_task(acquires.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()

    given_back = ReleaseRequest(user_id="m0", session_id=held.outcome.session.session_id)
    released = await releases.release(tenant.organization_id, given_back)
    halt.let_go.set()

    assert isinstance(released.outcome, Released)
    assert isinstance((await acquiring).outcome, Granted)
    assert halt.outcomes == ["written"]
    assert (tenant.counters()["total"], tenant.counters()["by_license"]) == (1, {"license-1": 1})


async def test_counters_reset_by_hand_in_the_middle_of_a_race_let_no_second_grant_through(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=2)
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    await fast.acquire(tenant.organization_id, _asking(tenant, "m0"))
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()

    tenant.seats.delete()
    first = await fast.acquire(tenant.organization_id, _asking(tenant, "m2"))
    halt.let_go.set()

    assert isinstance(first.outcome, Granted)
    assert isinstance((await late).outcome, SeatLimitReached)
    assert tenant.counters()["total"] == len(tenant.open_sessions()) == 2


@pytest.mark.parametrize("purged", [False, True], ids=["the trail is there", "the trail is purged"])
async def test_counters_deleted_by_hand_and_then_added_to_are_not_believed(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy, *, purged: bool
) -> None:
    tenant = Tenant.create(console, seats=2)
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    await fast.acquire(tenant.organization_id, _asking(tenant, "m0"))
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()
    tenant.seats.delete()
    halt.let_go.set()
    assert isinstance((await late).outcome, Granted)
    assert tenant.counters()["total"] == 1, "what was not there was added to"
    if purged:  # then no event stands in the way of a grant that has the number of an earlier one
        for event in tenant.organization.collection("audit_events").stream():
            event.reference.delete()

    third = await fast.acquire(tenant.organization_id, _asking(tenant, "m2"))

    assert isinstance(third.outcome, SeatLimitReached)
    assert tenant.counters()["total"] == len(tenant.open_sessions()) == 2


def _loses_the_first_answer(store: WatchedFirestore) -> None:
    written = store.commit
    lost = iter([True])

    async def commit(writes: Sequence[Any]) -> None:
        await written(writes)
        if next(lost, False):
            message = "the answer was lost on its way"
            raise StoreUnavailable(message)

    store.commit = commit  # type: ignore[method-assign]  # the test stands between the store and Firestore


async def test_a_commit_whose_answer_was_lost_takes_no_second_seat(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console, seats=3), Acquires(store, policy)
    _loses_the_first_answer(store)

    answered = await acquires.acquire(tenant.organization_id, _asking(tenant, "m0"))

    assert answered.outcome is not None
    assert len(tenant.open_sessions()) == 1
    assert tenant.counters()["total"] == 1
    assert len(tenant.events("session.acquired")) == 1


async def test_a_denial_whose_answer_was_lost_may_count_its_attempts_twice_and_the_next_one_once(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console, seats=0), Acquires(store, policy)
    _loses_the_first_answer(store)

    same_moment = [acquires.acquire(tenant.organization_id, _asking(tenant, "m0")) for _ in range(2)]
    await asyncio.gather(*same_moment)
    at_once = sum(denial["details"]["attempts"] for denial in tenant.events("session.denied"))
    await acquires.acquire(tenant.organization_id, _asking(tenant, "m0"))

    # Of two minutes where one ended in between: they are added up, and nothing here waits for one.
    assert at_once == 4
    assert sum(denial["details"]["attempts"] for denial in tenant.events("session.denied")) == 5


async def test_a_heartbeat_whose_commit_comes_after_the_end_was_told_does_not_bring_the_session_back(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, lease_seconds=3)
    granted = (await Acquires(store, policy).acquire(tenant.organization_id, _asking(tenant, "m0"))).outcome
    assert isinstance(granted, Granted)
    beat = HeartbeatRequest(user_id="m0", session_id=granted.session.session_id)
    await asyncio.sleep(0.5)  # so late that the lease is to be written
    halt = HeldCommit(store)
    late = asyncio.create_task(Heartbeats(store, policy).heartbeat(tenant.organization_id, beat))
    await halt.reached.wait()
    await asyncio.sleep(3)

    told = await Heartbeats(another_store, policy).heartbeat(tenant.organization_id, beat)
    halt.let_go.set()
    late_told = await late

    assert isinstance(told.outcome, Stopped)
    assert told.outcome.because == SessionOver(reason=EndReason.EXPIRED)
    assert late_told.outcome == SessionOver(reason=EndReason.EXPIRED)
    assert halt.outcomes == ["conflict"]
    assert tenant.open_sessions() == []
    assert len(tenant.events("session.expired")) == 1


async def test_who_lost_the_race_for_a_grant_reads_everything_again_with_who_came_meanwhile(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=5)
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    await slow.acquire(tenant.organization_id, _asking(tenant, "m0"))
    store.forget()
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()

    await fast.acquire(tenant.organization_id, _asking(tenant, "m2"))
    joining = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m3")))
    await asyncio.sleep(0)
    halt.let_go.set()

    assert isinstance((await late).outcome, Granted)
    assert isinstance((await joining).outcome, Granted)
    assert halt.outcomes == ["conflict", "written"]
    assert store.calls == [("read", 5), ("commit", 3), ("read", 7), ("commit", 5)]
    assert sorted(event["grant_number"] for event in tenant.events("session.acquired")) == [1, 2, 3, 4]


async def test_a_failed_attempt_takes_no_second_seat_for_who_got_one_meanwhile_from_another_instance(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=5)
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    await slow.acquire(tenant.organization_id, _asking(tenant, "m0"))
    store.forget()
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()

    await fast.acquire(tenant.organization_id, _asking(tenant, "m1"))
    halt.let_go.set()

    assert isinstance((await late).outcome, Renewed)
    assert halt.outcomes == ["conflict", "written"]
    assert [number for call, number in store.calls if call == "read"] == [5, 5]
    assert len(tenant.open_sessions()) == tenant.counters()["total"] == 2


async def test_who_holds_the_last_seat_by_another_instance_is_not_refused(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=2)
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    await slow.acquire(tenant.organization_id, _asking(tenant, "m0"))
    store.forget()
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()

    await fast.acquire(tenant.organization_id, _asking(tenant, "m1"))
    halt.let_go.set()

    # It holds the last seat itself, which only its session tells.
    assert isinstance((await late).outcome, Renewed)
    assert halt.outcomes == ["conflict", "written"]
    assert [number for call, number in store.calls if call == "read"] == [5, 5]


async def test_who_is_deactivated_while_an_attempt_fails_gets_no_seat(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=5)
    slow, fast = Acquires(store, policy), Acquires(another_store, policy)
    halt = HeldCommit(store)
    late = asyncio.create_task(slow.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()

    await fast.acquire(tenant.organization_id, _asking(tenant, "m2"))
    tenant.user("m1").update({"is_active": False})
    halt.let_go.set()

    assert isinstance((await late).outcome, UserInactive)
    assert halt.outcomes == ["conflict"]


async def test_what_a_commit_was_decided_on_is_not_kept_for_the_next_one(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console, seats=5), Acquires(store, policy)
    await acquires.acquire(tenant.organization_id, _asking(tenant, "m0"))
    store.forget()
    halt = HeldCommit(store)
    first = asyncio.create_task(acquires.acquire(tenant.organization_id, _asking(tenant, "m1")))
    await halt.reached.wait()
    second = asyncio.create_task(acquires.acquire(tenant.organization_id, _asking(tenant, "m2")))
    await asyncio.sleep(0)
    halt.let_go.set()

    assert isinstance((await first).outcome, Granted)
    assert isinstance((await second).outcome, Granted)
    assert store.calls == [("read", 5), ("commit", 3), ("read", 5), ("commit", 3)]
