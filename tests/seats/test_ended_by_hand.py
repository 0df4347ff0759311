"""A session that somebody ended in the console has revoked it: seat, counters and trail follow by themselves."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.rules.acquire import AcquireOutcome, Device, Granted, Renewed, SeatLimitReached
from shared.rules.session import EndReason, SessionOver
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.reconcile import Reconciliations
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import HeldCommit, WatchedFirestore
from tests.support.tenant import Tenant


async def asked(store: WatchedFirestore, policy: Policy, tenant: Tenant, user_id: str = "m0") -> AcquireOutcome:
    device = Device(hardware_id="d", ip_address=None, user_agent=None)
    request = AcquireRequest(user_id=user_id, license_key=tenant.license_key, device=device)
    return (await Acquires(store, policy).acquire(tenant.organization_id, request)).outcome


async def held(store: WatchedFirestore, policy: Policy, tenant: Tenant, user_id: str = "m0") -> str:
    outcome = await asked(store, policy, tenant, user_id)
    assert isinstance(outcome, Granted)
    return outcome.session.session_id


def end_by_hand(tenant: Tenant, session_id: str) -> datetime:
    ended_at = datetime.now(UTC)
    tenant.session(session_id).update({"ended_at": ended_at})
    return ended_at


async def reconcile(store: WatchedFirestore, policy: Policy) -> tuple[int, int]:
    report = await Reconciliations(store, policy, run_within=timedelta(minutes=1)).reconcile()
    return report.ends_reported, report.counters_repaired


async def test_its_seat_is_free_at_once_and_its_client_learns_that_it_is_over(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=1)
    session_id = await held(store, policy, tenant)
    end_by_hand(tenant, session_id)

    await held(store, policy, tenant, "m1")
    beat = HeartbeatRequest(user_id="m0", session_id=session_id)
    answered = await Heartbeats(store, policy).heartbeat(tenant.organization_id, beat)

    assert answered.outcome == SessionOver(reason=None)
    assert tenant.counters()["total"] == 1


async def test_the_heartbeat_of_its_client_reports_it_and_other_devices_are_told_the_right_number_of_seats(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=3)
    session_id = await held(store, policy, tenant)
    await held(store, policy, tenant, "m1")
    ended_at = end_by_hand(tenant, session_id)
    beat = HeartbeatRequest(user_id="m0", session_id=session_id)
    heartbeats = Heartbeats(store, policy)

    answers = [(await heartbeats.heartbeat(tenant.organization_id, beat)).outcome for _ in range(2)]
    another = await asked(store, policy, tenant, "m2")

    assert answers == [SessionOver(reason=None), SessionOver(reason=EndReason.REVOKED_BY_ADMIN)]
    assert isinstance(another, Granted)
    assert another.in_use == 2
    (event,) = tenant.events("session.revoked")
    assert (event["session_id"], event["actor"], event["at"]) == (session_id, "console", ended_at)
    assert tenant.counters()["total"] == 2
    assert await reconcile(store, policy) == (0, 0)


async def test_a_refusal_tells_the_right_number_of_seats_before_anything_is_reported(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=2)
    end_by_hand(tenant, await held(store, policy, tenant))
    await held(store, policy, tenant, "m1")

    last_seat = await asked(store, policy, tenant, "m2")
    refused = await asked(store, policy, tenant, "m3")

    assert isinstance(last_seat, Granted)
    assert last_seat.in_use == 2
    assert isinstance(refused, SeatLimitReached)
    assert refused.in_use == 2


async def test_a_report_that_another_write_prevents_is_left_to_the_scheduled_function(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    session_id = await held(store, policy, tenant)
    end_by_hand(tenant, session_id)
    held_back = HeldCommit(another_store)
    beat = HeartbeatRequest(user_id="m0", session_id=session_id)

    beating = asyncio.create_task(Heartbeats(another_store, policy).heartbeat(tenant.organization_id, beat))
    await held_back.reached.wait()
    await held(store, policy, tenant, "m1")
    held_back.let_go.set()
    answered = await beating

    assert answered.outcome == SessionOver(reason=None)
    assert await reconcile(store, policy) == (1, 1)
    assert len(tenant.events("session.revoked")) == 1


async def test_the_scheduled_function_reports_it_and_takes_the_counters_anew(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    session_id = await held(store, policy, tenant)
    await held(store, policy, tenant, "m1")
    ended_at = end_by_hand(tenant, session_id)

    told = await reconcile(store, policy)

    assert told == (1, 1)
    (event,) = tenant.events("session.revoked")
    assert (event["session_id"], event["actor"], event["at"]) == (session_id, "console", ended_at)
    assert event["details"]["reason"] == "revoked_by_admin"
    assert tenant.session(session_id).get().get("end_reason") == "revoked_by_admin"
    assert tenant.session(session_id).get().get("purge_at") == ended_at + policy.retention.sessions_for
    assert tenant.counters()["total"] == 1


@pytest.mark.parametrize("day", [datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)])
async def test_an_end_in_the_future_is_one_now(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, day: datetime
) -> None:
    tenant = Tenant.create(console)
    for user_id in ("m0", "m1"):
        tenant.session(await held(store, policy, tenant, user_id)).update({"ended_at": day})

    await held(store, policy, tenant, "m0")
    told = await reconcile(store, policy)

    assert told == (1, 0)
    assert len(tenant.events("session.revoked")) == 2
    assert all(event["at"] < datetime.now(UTC) for event in tenant.events())


@pytest.mark.parametrize("day", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)])
async def test_an_end_before_its_last_heartbeat_was_at_that(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, day: datetime
) -> None:
    tenant = Tenant.create(console)
    session_id = await held(store, policy, tenant)
    beat_at = tenant.session(session_id).get().get("last_heartbeat_at")
    tenant.session(session_id).update({"ended_at": day})

    told = await reconcile(store, policy)

    assert told == (1, 1)
    (event,) = tenant.events("session.revoked")
    assert event["at"] == beat_at
    assert event["purge_at"] == beat_at + policy.retention.audit_events_for
    assert tenant.session(session_id).get().get("purge_at") == beat_at + policy.retention.sessions_for


async def test_the_ends_of_several_organizations_are_all_counted(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    for tenant in [Tenant.create(console) for _ in range(3)]:
        end_by_hand(tenant, await held(store, policy, tenant))

    assert await reconcile(store, policy) == (3, 3)


@pytest.mark.parametrize(
    "end",
    [
        {"ended_at": "2026-11-30"},
        {"ended_at": True},
        {"ended_at": {"day": 1}},
        {"ended_at": firestore.DELETE_FIELD},
        {"ended_at": datetime(1, 1, 2, tzinfo=UTC)},
        {"ended_at": datetime(2200, 1, 2, tzinfo=UTC)},
        {"ended_at": datetime(2026, 1, 2, tzinfo=UTC), "end_reason": "because"},
        {"ended_at": "today", "end_reason": 5},
    ],
    ids=str,
)
async def test_whatever_an_admin_writes_as_the_end_ends_it_and_locks_nobody_out(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, end: dict[str, Any]
) -> None:
    tenant = Tenant.create(console, seats=1)
    session_id = await held(store, policy, tenant)
    beat_at = tenant.session(session_id).get().get("last_heartbeat_at")
    tenant.session(session_id).update(end)

    beat = HeartbeatRequest(user_id="m0", session_id=session_id)
    answered = await Heartbeats(store, policy).heartbeat(tenant.organization_id, beat)
    again = await asked(store, policy, tenant)

    assert answered.outcome == SessionOver(reason=None)
    assert isinstance(again, Granted)
    assert again.in_use == 1
    (event,) = tenant.events("session.revoked")
    assert (event["at"], event["actor"]) == (beat_at, "console")
    assert tenant.counters()["total"] == 1


async def test_a_text_as_the_end_becomes_the_end_with_its_reason_by_itself(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    for user_id, end in {"m0": "2026-11-30", "m1": True, "m2": ["now"], "m3": b"now"}.items():
        tenant.session(await held(store, policy, tenant, user_id)).update({"ended_at": end})

    told = await reconcile(store, policy)

    assert told == (4, 1)
    assert {each["end_reason"] for each in tenant.sessions()} == {"revoked_by_admin"}
    assert all(each["ended_at"] == each["last_heartbeat_at"] for each in tenant.sessions())


async def test_a_reason_that_is_none_leaves_an_open_session_open(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    session_id = await held(store, policy, tenant)
    tenant.session(session_id).update({"end_reason": "because"})

    renewed = await asked(store, policy, tenant)

    assert isinstance(renewed, Renewed)
    assert tenant.events("session.revoked") == []


async def test_it_is_reported_once(store: WatchedFirestore, console: firestore.Client, policy: Policy) -> None:
    tenant = Tenant.create(console)
    end_by_hand(tenant, await held(store, policy, tenant))

    told = [await reconcile(store, policy), await reconcile(store, policy)]

    assert told == [(1, 1), (0, 0)]
    assert len(tenant.events("session.revoked")) == 1


async def test_a_device_that_takes_a_seat_again_reports_it_first(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    session_id = await held(store, policy, tenant)
    ended_at = end_by_hand(tenant, session_id)

    again = await asked(store, policy, tenant)
    told = await reconcile(store, policy)

    assert isinstance(again, Granted)
    assert (again.session.session_id, again.in_use) == (session_id, 1)
    (event,) = tenant.events("session.revoked")
    assert (event["at"], event["actor"]) == (ended_at, "console")
    assert len(tenant.events("session.acquired")) == 2
    assert told == (0, 0)
    assert tenant.counters()["total"] == 1


async def test_an_end_that_was_told_is_not_told_again_because_somebody_took_its_reason_out(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    for user_id in ("m0", "m1"):
        session_id = await held(store, policy, tenant, user_id)
        release = ReleaseRequest(user_id=user_id, session_id=session_id)
        await Releases(store, policy).release(tenant.organization_id, release)
        tenant.session(session_id).update({"end_reason": None})

    await held(store, policy, tenant, "m0")
    told = await reconcile(store, policy)

    assert told == (0, 0)
    assert len(tenant.events("session.released")) == 2
    assert tenant.events("session.revoked") == []
    assert tenant.session(session_id).get().get("end_reason") == "revoked_by_admin"


async def test_a_session_that_the_functions_ended_is_not_reported_again(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    session_id = await held(store, policy, tenant)
    tenant.user("m0").delete()
    await reconcile(store, policy)

    told = await reconcile(store, policy)

    assert told == (0, 0)
    assert [event["session_id"] for event in tenant.events("session.revoked")] == [session_id]
