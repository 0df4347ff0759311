"""Expire on the emulator: what has lapsed ends once, whoever else is at it and whatever is broken."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents import queries
from shared.documents.policy import Policy
from shared.firestore.client import Firestore
from shared.firestore.errors import Conflict, StoreUnavailable
from shared.rules.acquire import Device, Granted
from shared.rules.heartbeat import Extended
from shared.rules.session import session_id_of
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.expire import Expiries, ExpiryReport, lapsed_since
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.reconcile import Reconciliations
from tests.support.connections import HeldCommit, WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant

A_MINUTE = timedelta(minutes=1)
AN_HOUR_BEGINS = datetime(2026, 11, 24, 12, tzinfo=UTC)


def expiries(store: Firestore, policy: Policy, *, run_within: timedelta = A_MINUTE) -> Expiries:
    return Expiries(store, policy, run_within=run_within)


async def held(store: Firestore, policy: Policy, tenant: Tenant, *users: str, devices: int = 1) -> list[str]:
    """Sessions that these users hold."""
    acquires = Acquires(store, policy)
    requests = [
        AcquireRequest(
            user_id=user,
            license_key=tenant.license_key,
            device=Device(hardware_id=f"d{number}", ip_address=None, user_agent=None),
        )
        for user in users
        for number in range(devices)
    ]
    answers = await asyncio.gather(*(acquires.acquire(tenant.organization_id, request) for request in requests))
    return [answer.outcome.session.session_id for answer in answers if isinstance(answer.outcome, Granted)]


async def lapsed(store: Firestore, policy: Policy, tenant: Tenant, *users: str, devices: int = 1) -> list[str]:
    """Sessions that these users held until their leases ran out."""
    sessions = await held(store, policy, tenant, *users, devices=devices)
    for session_id in sessions:
        tenant.let_lapse(session_id)
    return sessions


def reported(tenant: Tenant) -> list[str]:
    """The sessions that were reported as expired."""
    return sorted(event["session_id"] for event in tenant.events("session.expired"))


async def test_what_has_lapsed_ends_in_every_organization_and_is_reported_once(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenants = [Tenant.create(console, seats=9) for _ in range(3)]
    sessions = [await lapsed(store, policy, tenant, "m0", "m1") for tenant in tenants]

    report = await expiries(store, policy).expire()

    assert (report.sessions_ended, report.sessions_left, report.organizations) == (6, 0, 3)
    assert (report.organizations_failed, report.is_complete) == (0, True)
    assert [reported(tenant) for tenant in tenants] == [sorted(ids) for ids in sessions]
    assert all(tenant.open_sessions() == [] for tenant in tenants)
    assert [tenant.counters()["total"] for tenant in tenants] == [0, 0, 0]
    assert {event["actor"] for event in tenants[0].events("session.expired")} == {"system"}


async def test_a_live_session_goes_on(store: WatchedFirestore, console: firestore.Client, policy: Policy) -> None:
    tenant = Tenant.create(console)
    (live,) = await held(store, policy, tenant, "m0")
    (gone,) = await lapsed(store, policy, tenant, "m1")

    report = await expiries(store, policy).expire()

    assert report.sessions_ended == 1
    assert reported(tenant) == [gone]
    assert tenant.session(live).get().get("ended_at") is None
    assert tenant.counters()["by_license"] == {LICENSE_ID: 1}


@pytest.mark.parametrize(
    ("start", "since"),
    [("12:01:00", "11:46:00"), ("12:59:59", "12:44:59"), ("12:00:00", None), ("12:00:59.999999", None)],
)
def test_a_run_looks_back_15_minutes_and_once_an_hour_to_the_beginning(start: str, since: str | None) -> None:
    day = "2026-11-24T"

    begins = lapsed_since(datetime.fromisoformat(f"{day}{start}+00:00"))

    assert begins == (queries.FIRST if since is None else datetime.fromisoformat(f"{day}{since}+00:00"))


async def test_the_run_of_the_hour_ends_what_lapsed_a_day_ago(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.seats.expire.lapsed_since", lambda _: lapsed_since(AN_HOUR_BEGINS))
    tenant = Tenant.create(console)
    (old,) = await held(store, policy, tenant, "m0")
    tenant.let_lapse(old, since=timedelta(days=1))

    report = await expiries(store, policy).expire()

    assert (report.sessions_ended, reported(tenant)) == (1, [old])


async def test_what_lapsed_long_ago_is_left_to_reconcile_until_then(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.seats.expire.lapsed_since", lambda start: start - queries.LOOKS_BACK)
    tenant = Tenant.create(console)
    old, recent = await held(store, policy, tenant, "m0", "m1")
    tenant.let_lapse(old, since=16 * A_MINUTE)
    tenant.let_lapse(recent, since=14 * A_MINUTE)

    report = await expiries(store, policy).expire()
    by_the_run = reported(tenant)
    await Reconciliations(store, policy, run_within=A_MINUTE).reconcile()

    assert (report.sessions_ended, report.sessions_left, by_the_run) == (1, 0, [recent])
    assert reported(tenant) == sorted([old, recent])
    assert tenant.counters()["total"] == 0


async def test_a_minute_with_nothing_to_do_costs_ten_reads_and_writes_nothing(
    store: WatchedFirestore, policy: Policy
) -> None:
    report = await expiries(store, policy).expire()

    assert sorted(store.calls) == [("read", 1), *[("select", 0)] * 9]
    assert report.sessions_left == 0


async def test_running_again_changes_nothing(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    await lapsed(store, policy, tenant, "m0", "m1")
    await expiries(store, policy).expire()
    before = (tenant.sessions(), tenant.events(), tenant.counters())

    report = await expiries(store, policy).expire()

    assert report.sessions_ended == 0
    assert (tenant.sessions(), tenant.events(), tenant.counters()) == before


async def test_two_runs_at_once_end_each_session_once(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenants = [Tenant.create(console, seats=40) for _ in range(4)]
    sessions = [await lapsed(store, policy, tenant, "m0", "m1", devices=10) for tenant in tenants]

    reports = await asyncio.gather(expiries(store, policy).expire(), expiries(another_store, policy).expire())

    assert sum(report.sessions_ended for report in reports) == 80
    assert [reported(tenant) for tenant in tenants] == [sorted(ids) for ids in sessions]
    assert [tenant.counters()["total"] for tenant in tenants] == [0] * 4


# Races, move by move: the run has read, and somebody else is faster.


async def test_a_heartbeat_that_arrives_first_wins(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    kept, gone = await lapsed(another_store, policy, tenant, "m0", "m1")
    halt = HeldCommit(store)
    run = asyncio.create_task(expiries(store, policy).expire())
    await halt.reached.wait()
    # The clock stands still for the test: the lease runs again, as if the heartbeat had come in time.
    tenant.session(kept).update({"lease_expires_at": datetime.now(UTC) + timedelta(minutes=3)})
    beat = HeartbeatRequest(user_id="m0", session_id=kept)
    answered = await Heartbeats(another_store, policy).heartbeat(tenant.organization_id, beat)

    halt.let_go.set()
    report = await run

    assert isinstance(answered.outcome, Extended)
    assert report.sessions_ended == 1
    assert reported(tenant) == [gone]
    assert tenant.session(kept).get().get("ended_at") is None
    assert tenant.counters()["total"] == 1


async def test_an_acquire_that_gives_the_seat_away_first_ends_the_session_alone(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=1)
    (gone,) = await lapsed(another_store, policy, tenant, "m0")
    halt = HeldCommit(store)
    run = asyncio.create_task(expiries(store, policy).expire())
    await halt.reached.wait()

    (taken,) = await held(another_store, policy, tenant, "m1")
    halt.let_go.set()
    report = await run

    assert report.sessions_ended == 0
    assert reported(tenant) == [gone]
    assert [session["user_id"] for session in tenant.open_sessions()] == ["m1"]
    assert tenant.counters()["total"] == 1
    assert taken != gone


async def test_a_run_killed_in_the_middle_is_taken_up_by_the_next(
    store: WatchedFirestore,
    another_store: WatchedFirestore,
    console: firestore.Client,
    policy: Policy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.seats.expire.MAX_ENDINGS", 5)
    tenant = Tenant.create(console, seats=40)
    sessions = await lapsed(another_store, policy, tenant, "m0", "m1", devices=10)
    committed = asyncio.Event()
    commit = store.commit

    async def commit_once(writes: Sequence[Any]) -> None:
        if committed.is_set():
            await asyncio.Event().wait()
        await commit(writes)
        committed.set()

    monkeypatch.setattr(store, "commit", commit_once)
    run = asyncio.create_task(expiries(store, policy).expire())
    await committed.wait()

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    first = len(reported(tenant))
    report = await expiries(another_store, policy).expire()

    assert (first, report.sessions_ended) == (5, 15)
    assert reported(tenant) == sorted(sessions)
    assert tenant.counters()["total"] == 0


async def test_a_commit_whose_answer_is_lost_ends_nothing_twice(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = Tenant.create(console)
    sessions = await lapsed(store, policy, tenant, "m0", "m1")
    commit = store.commit
    lost: list[int] = []

    async def commit_and_lose_the_answer(writes: Sequence[Any]) -> None:
        await commit(writes)
        if not lost:
            lost.append(len(writes))
            message = "no answer"
            raise StoreUnavailable(message)

    monkeypatch.setattr(store, "commit", commit_and_lose_the_answer)

    await expiries(store, policy).expire()

    assert len(lost) == 1
    assert reported(tenant) == sorted(sessions)
    assert tenant.counters()["total"] == 0


# What is broken does not stop the rest.


def unreadable(tenant: Tenant, number: int, *, since: timedelta = 10 * A_MINUTE) -> None:
    """A session document that somebody made by hand: it lapsed, and cannot be read."""
    tenant.session(f"by-hand-{number}").set(
        {"expiry_shard": number % 8, "ended_at": None, "lease_expires_at": datetime.now(UTC) - since, "license_id": 7}
    )


async def test_a_session_that_cannot_be_read_is_passed_over_and_counted_as_left(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    broken, whole = Tenant.create(console), Tenant.create(console)
    unreadable(broken, 1)
    sessions = [*await lapsed(store, policy, broken, "m0"), *await lapsed(store, policy, whole, "m0")]

    report = await expiries(store, policy).expire()

    assert (report.sessions_ended, report.sessions_left, report.organizations_failed) == (2, 1, 0)
    assert sorted([*reported(broken), *reported(whole)]) == sorted(sessions)


async def test_more_broken_sessions_than_a_page_holds_do_not_stand_in_front_of_the_others(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.seats.expire.PAGE", 3)
    tenant = Tenant.create(console, seats=20)
    for number in range(40):
        unreadable(tenant, number)
    sessions = await lapsed(store, policy, tenant, "m0", devices=8)

    report = await expiries(store, policy).expire()

    assert (report.sessions_ended, report.sessions_left, report.is_complete) == (8, 40, True)
    assert reported(tenant) == sorted(sessions)


async def test_an_organization_whose_commits_fail_does_not_stop_the_others(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, whole = Tenant.create(console), Tenant.create(console)
    await lapsed(store, policy, broken, "m0")
    (session,) = await lapsed(store, policy, whole, "m0")
    commit = store.commit

    async def refuse(writes: Sequence[Any]) -> None:
        if any(broken.organization_id in write.path for write in writes):
            message = "a fault that no repetition mends"
            raise RuntimeError(message)
        await commit(writes)

    monkeypatch.setattr(store, "commit", refuse)

    report = await expiries(store, policy).expire()

    assert (report.sessions_ended, report.organizations_failed, report.sessions_left) == (1, 1, 1)
    assert reported(whole) == [session]
    assert len(broken.open_sessions()) == 1


async def test_one_answer_that_does_not_come_ends_no_run(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = Tenant.create(console)
    sessions = await lapsed(store, policy, tenant, "m0")
    select = store.select
    lost: list[str] = []

    async def lose_the_first_of_each(parent: str, query: Any, **at: Any) -> Any:  # noqa: ANN401 passed on
        if str(query.where) not in lost:
            lost.append(str(query.where))
            message = "no answer"
            raise StoreUnavailable(message)
        return await select(parent, query, **at)

    monkeypatch.setattr(store, "select", lose_the_first_of_each)

    report = await expiries(store, policy).expire()

    assert len(lost) == 9, "of each shard, and of the line"
    assert report.sessions_ended == 1
    assert reported(tenant) == sessions


async def test_a_store_that_does_not_answer_ends_the_run_and_says_so(
    store: WatchedFirestore, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.firestore.retry.READ_WITHIN", timedelta(milliseconds=200))

    async def away(_parent: str, _query: Any, **_at: Any) -> Any:  # noqa: ANN401 as above
        message = "no answer"
        raise StoreUnavailable(message)

    monkeypatch.setattr(store, "select", away)

    with pytest.raises(StoreUnavailable, match="did not answer in time, also after retries"):
        await expiries(store, policy).expire()


async def test_a_conflict_without_end_is_given_up_and_counted(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = Tenant.create(console)
    await lapsed(store, policy, tenant, "m0")
    impatient = Policy(
        default_lease_for=policy.default_lease_for,
        default_grace_for=policy.default_grace_for,
        answer_within=timedelta(milliseconds=300),
        retention=policy.retention,
    )

    async def never(_writes: Sequence[Any]) -> None:
        message = "somebody was faster"
        raise Conflict(message)

    monkeypatch.setattr(store, "commit", never)

    report = await expiries(store, impatient).expire()

    assert (report.sessions_ended, report.organizations_failed, report.sessions_left) == (0, 1, 1)


async def test_when_the_time_is_up_the_run_says_what_is_left_and_the_next_one_ends_it(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=9)
    sessions = await lapsed(store, policy, tenant, "m0", "m1", devices=2)

    stopped = await expiries(store, policy, run_within=timedelta(0)).expire()
    finished = await expiries(store, policy).expire()

    assert (stopped.sessions_ended, stopped.sessions_left, stopped.is_complete) == (0, 4, False)
    assert (finished.sessions_ended, finished.sessions_left, finished.is_complete) == (4, 0, True)
    assert reported(tenant) == sorted(sessions)


async def test_more_sessions_than_one_commit_holds_end_in_several(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.seats.expire.MAX_ENDINGS", 3)
    tenant = Tenant.create(console, seats=9)
    sessions = await lapsed(store, policy, tenant, "m0", devices=7)
    store.forget()

    report = await expiries(store, policy).expire()

    # Two writes for each session, and one for the counters.
    assert [size for call, size in store.calls if call == "commit"] == [7, 7, 3]
    assert report.sessions_ended == 7
    assert reported(tenant) == sorted(sessions)


async def test_pages_are_walked_to_their_end(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.seats.expire.PAGE", 2)
    tenants = [Tenant.create(console, seats=30) for _ in range(2)]
    for tenant in tenants:
        await lapsed(store, policy, tenant, "m0", devices=25)

    report = await expiries(store, policy).expire()

    assert report == ExpiryReport(
        sessions_ended=50,
        sessions_left=0,
        organizations=2,
        organizations_failed=0,
        is_complete=True,
        now=report.now,
    )


async def test_sessions_that_lapsed_at_the_same_instant_are_all_found(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pages are cut in the middle of an instant: the path tells the next one where to go on.
    monkeypatch.setattr("shared.seats.expire.PAGE", 2)
    tenant = Tenant.create(console, seats=30)
    instant = datetime.now(UTC) - A_MINUTE
    for session_id in await held(store, policy, tenant, "m0", devices=24):
        tenant.session(session_id).update({"lease_expires_at": instant})

    report = await expiries(store, policy).expire()

    assert report.sessions_ended == 24


async def test_a_collection_of_the_same_name_elsewhere_is_left_alone(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    session_id = session_id_of(license_id=LICENSE_ID, user_id="m0", hardware_id="d0")
    past = datetime.now(UTC) - 10 * A_MINUTE
    fields = {
        "license_id": LICENSE_ID,
        "user_id": "m0",
        "hardware_id": "d0",
        "started_at": past,
        "last_heartbeat_at": past,
        "lease_expires_at": past,
        "ended_at": None,
        "expiry_shard": 0,
    }
    places = [
        f"sessions/{session_id}",
        f"venues/hall/sessions/{session_id}",
        f"organizations/o/x/y/sessions/{session_id}",
    ]
    for place in places:
        console.document(place).set(fields)

    report = await expiries(store, policy).expire()

    assert report.sessions_ended == 0
    assert [console.document(place).get().get("ended_at") for place in places] == [None] * 3


@pytest.mark.parametrize("odd", ["Ünïcode und Leerzeichen", "dots.and`ticks`", "a" * 500, "..."])
async def test_ids_may_be_odd(store: WatchedFirestore, console: firestore.Client, policy: Policy, odd: str) -> None:
    tenant = Tenant(console=console, organization_id=odd, license_key="KEY")
    tenant.organization.set({"max_concurrent_seats": None})
    tenant.user("m0").set({})
    tenant.add_license(odd, "KEY", seats=2)
    sessions = await lapsed(store, policy, tenant, "m0")

    report = await expiries(store, policy).expire()

    assert report.sessions_ended == 1
    assert reported(tenant) == sessions
    assert tenant.counters()["total"] == 0
