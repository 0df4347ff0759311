"""Reconcile on the emulator: counters say what the sessions say, and who lost the right to a seat loses the seat."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.firestore.client import Firestore
from shared.rules.acquire import Device, Granted
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.reconcile import Reconciliations
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant


def reconciliations(
    store: Firestore, policy: Policy, *, run_within: timedelta = timedelta(minutes=1)
) -> Reconciliations:
    return Reconciliations(store, policy, run_within=run_within)


async def held(store: Firestore, policy: Policy, tenant: Tenant, *users: str, license_key: str = "") -> list[str]:
    """Sessions that these users hold."""
    acquires = Acquires(store, policy)
    device = Device(hardware_id="d", ip_address=None, user_agent=None)
    sessions = []
    for user in users:
        request = AcquireRequest(user_id=user, license_key=license_key or tenant.license_key, device=device)
        answered = await acquires.acquire(tenant.organization_id, request)
        assert isinstance(answered.outcome, Granted)
        sessions.append(answered.outcome.session.session_id)
    return sessions


def said(tenant: Tenant) -> tuple[int, Mapping[str, int]]:
    """What the counters say; licenses without a seat in use may be left out or zero."""
    counters = tenant.counters()
    return counters["total"], {key: held for key, held in counters["by_license"].items() if held}


# Counters


async def test_counters_that_are_right_are_left_alone(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    await held(store, policy, tenant, "m0", "m1")
    store.forget()

    report = await reconciliations(store, policy).reconcile()

    assert (report.organizations, report.counters_repaired, report.sessions_ended) == (1, 0, 0)
    assert not [call for call, _ in store.calls if call == "commit"]
    assert tenant.events("usage.repaired") == []


@pytest.mark.parametrize(
    "slip",
    [
        {"total": 9},
        {"total": 0},
        {"total": -3},
        {"total": "many"},
        {"total": None},
        {"total": b"bytes"},
        {"by_license": {LICENSE_ID: 1}},
        {"by_license": {LICENSE_ID: 2, "ghost": 4}},
        {"by_license": "none"},
        {"checksum": 0},
        {"grants": 0},
    ],
    ids=str,
)
async def test_counters_that_somebody_edited_are_taken_from_the_sessions_again(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, slip: dict[str, Any]
) -> None:
    tenant = Tenant.create(console)
    await held(store, policy, tenant, "m0", "m1")
    tenant.seats.update(slip)

    report = await reconciliations(store, policy).reconcile()

    assert (report.counters_repaired, report.organizations_failed) == (1, 0)
    assert said(tenant) == (2, {LICENSE_ID: 2})
    assert tenant.counters()["grants"] == 2
    (event,) = tenant.events("usage.repaired")
    assert event["actor"] == "system"
    assert event["details"]["after"] == [{"license_id": LICENSE_ID, "in_use": 2, "pools": []}]


async def test_a_repair_tells_before_and_after(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    first, _ = await held(store, policy, tenant, "m0", "m1")
    tenant.session(first).delete()

    await reconciliations(store, policy).reconcile()

    (event,) = tenant.events("usage.repaired")
    assert event["details"] == {
        "before": [{"license_id": LICENSE_ID, "in_use": 2, "pools": []}],
        "after": [{"license_id": LICENSE_ID, "in_use": 1, "pools": []}],
    }
    assert said(tenant) == (1, {LICENSE_ID: 1})


async def test_counters_that_were_deleted_are_made_again(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    await held(store, policy, tenant, "m0")
    tenant.seats.delete()

    report = await reconciliations(store, policy).reconcile()

    assert report.counters_repaired == 1
    assert said(tenant) == (1, {LICENSE_ID: 1})
    assert tenant.counters()["grants"] == 1
    assert tenant.events("usage.repaired")[0]["details"]["before"] is None


async def test_an_organization_without_any_session_whose_counters_claim_seats_is_found(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    for session_id in await held(store, policy, tenant, "m0", "m1"):
        tenant.session(session_id).delete()

    report = await reconciliations(store, policy).reconcile()

    assert report.counters_repaired == 1
    assert said(tenant) == (0, {})


async def test_counters_behind_the_audit_trail_would_stop_every_grant_and_are_repaired(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    await held(store, policy, tenant, "m0")
    before = tenant.counters()
    await held(store, policy, tenant, "m1")
    # Set back whole, checksum and all, and one of the sessions taken out: the numbers agree with each other.
    tenant.seats.set(before)
    (newest,) = [event["session_id"] for event in tenant.events("session.acquired") if event["grant_number"] == 2]
    tenant.session(newest).delete()

    await reconciliations(store, policy).reconcile()
    granted = await held(store, policy, tenant, "m2")

    assert len(granted) == 1
    assert sorted(event["grant_number"] for event in tenant.events("session.acquired")) == [1, 2, 3]


async def test_a_repair_waits_for_whoever_is_faster_and_is_right_then(
    store: WatchedFirestore,
    another_store: WatchedFirestore,
    console: firestore.Client,
    policy: Policy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = Tenant.create(console, seats=9)
    (session_id,) = await held(another_store, policy, tenant, "m0")
    tenant.seats.update({"total": 7})
    commit = store.commit
    overtaken: list[bool] = []

    async def commit_after_somebody_else(writes: Sequence[Any]) -> None:
        if not overtaken:
            overtaken.append(True)
            released = ReleaseRequest(user_id="m0", session_id=session_id)
            await Releases(another_store, policy).release(tenant.organization_id, released)
        await commit(writes)

    monkeypatch.setattr(store, "commit", commit_after_somebody_else)

    await reconciliations(store, policy).reconcile()

    assert overtaken
    assert said(tenant) == (0, {})
    assert len(tenant.events("usage.repaired")) == 1


async def test_among_acquires_and_releases_nothing_is_repaired_that_was_not_wrong(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=50)
    acquires, releases = Acquires(another_store, policy), Releases(another_store, policy)

    async def come_and_go(user: str) -> None:
        for number in range(6):
            device = Device(hardware_id=f"d{number}", ip_address=None, user_agent=None)
            request = AcquireRequest(user_id=user, license_key=tenant.license_key, device=device)
            outcome = (await acquires.acquire(tenant.organization_id, request)).outcome
            assert isinstance(outcome, Granted)
            back = ReleaseRequest(user_id=user, session_id=outcome.session.session_id)
            await releases.release(tenant.organization_id, back)

    async def reconcile_meanwhile() -> int:
        return sum([(await reconciliations(store, policy).reconcile()).counters_repaired for _ in range(4)])

    repaired, *_ = await asyncio.gather(reconcile_meanwhile(), *(come_and_go(f"m{number}") for number in range(5)))

    assert repaired == 0
    assert said(tenant) == (0, {})


@pytest.mark.parametrize(
    "license_id", ["", "__x__", "x" * 2_000, "a/b", 7, None, b"bytes"], ids=lambda each: str(each)[:9]
)
async def test_a_session_of_what_is_no_license_counts_for_the_organization_and_stops_nobody(
    store: WatchedFirestore,
    console: firestore.Client,
    policy: Policy,
    license_id: Any,  # noqa: ANN401 a slip is anything
) -> None:
    tenant = Tenant.create(console, organization_seats=3)
    await held(store, policy, tenant, "m0")
    tenant.session("by-hand").set({"ended_at": None, "license_id": license_id})
    tenant.seats.delete()

    report = await reconciliations(store, policy).reconcile()
    granted = await held(store, policy, tenant, "m1")

    assert (report.organizations_failed, report.counters_repaired) == (0, 1)
    assert len(granted) == 1
    assert (tenant.counters()["total"], tenant.counters()["by_license"][LICENSE_ID]) == (3, 2)


async def test_a_session_that_somebody_moved_to_another_license_counts_there(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    tenant.add_license("other", "OTHER-KEY", seats=1)
    moved, _ = await held(store, policy, tenant, "m0", "m1")
    tenant.session(moved).update({"license_id": "other"})

    reports = [await reconciliations(store, policy).reconcile() for _ in range(2)]

    assert [report.counters_repaired for report in reports] == [1, 0]
    assert said(tenant) == (2, {LICENSE_ID: 1, "other": 1})


@pytest.mark.parametrize("number", [2.0, 1.5, float("inf"), 2**63 - 1])
async def test_a_grants_number_that_somebody_edited_is_none(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, number: float
) -> None:
    tenant = Tenant.create(console)
    await held(store, policy, tenant, "m0", "m1")
    (second,) = [each for each in tenant.event_documents("session.acquired") if each.get("grant_number") == 2]
    second.reference.update({"grant_number": number})

    reports = [await reconciliations(store, policy).reconcile() for _ in range(2)]

    assert [(report.counters_repaired, report.organizations_failed) for report in reports] == [(0, 0), (0, 0)]
    assert tenant.counters()["grants"] == 2


# Sessions


REASONS: Mapping[str, tuple[Any, str]] = {
    "organization deactivated": (
        lambda tenant: tenant.organization.update({"is_active": False}),
        "organization_deactivated",
    ),
    "organization gone": (lambda tenant: tenant.organization.delete(), "document_removed"),
    "license deactivated": (lambda tenant: tenant.license().update({"is_active": False}), "license_deactivated"),
    "license expired": (
        lambda tenant: tenant.license().update({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}),
        "license_expired",
    ),
    "license gone": (lambda tenant: tenant.license().delete(), "document_removed"),
    "user deactivated": (lambda tenant: tenant.user("m0").update({"is_active": False}), "user_deactivated"),
    "user made a guest": (lambda tenant: tenant.user("m0").update({"role": "guest"}), "user_deactivated"),
    "user gone": (lambda tenant: tenant.user("m0").delete(), "user_deactivated"),
}


@pytest.mark.parametrize("what", REASONS)
async def test_a_session_whose_right_is_gone_ends_with_the_reason(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, what: str
) -> None:
    happen, reason = REASONS[what]
    tenant = Tenant.create(console)
    (session_id,) = await held(store, policy, tenant, "m0")
    happen(tenant)

    report = await reconciliations(store, policy).reconcile()

    assert (report.sessions_ended, report.counters_repaired) == (1, 0)
    session = tenant.session(session_id).get()
    assert session.get("end_reason") == reason
    assert session.get("purge_at") == session.get("ended_at") + policy.retention.sessions_for
    (event,) = tenant.events("session.revoked")
    assert (event["actor"], event["details"]["reason"]) == ("system", reason)
    assert said(tenant) == (0, {})


async def test_the_others_of_the_organization_keep_their_seats(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    tenant.add_license("other", "OTHER", seats=3)
    await held(store, policy, tenant, "m0", "m1")
    await held(store, policy, tenant, "m2", license_key="OTHER")
    tenant.user("m0").delete()
    tenant.license("other").update({"is_active": False})

    report = await reconciliations(store, policy).reconcile()

    assert report.sessions_ended == 2
    assert [session["user_id"] for session in tenant.open_sessions()] == ["m1"]
    assert said(tenant) == (1, {LICENSE_ID: 1})


@pytest.mark.parametrize(
    "slip",
    [
        lambda tenant: tenant.organization.update({"max_concurrent_seats": "lots"}),
        lambda tenant: tenant.user("m0").update({"role": "boss"}),
        lambda tenant: tenant.license().update({"expires_at": "tomorrow"}),
    ],
    ids=["organization", "user", "license"],
)
async def test_a_slip_in_a_document_ends_nothing(
    store: WatchedFirestore,
    console: firestore.Client,
    policy: Policy,
    slip: Any,  # noqa: ANN401 what an admin does
) -> None:
    tenant = Tenant.create(console)
    await held(store, policy, tenant, "m0")
    slip(tenant)

    report = await reconciliations(store, policy).reconcile()

    assert (report.sessions_ended, report.organizations_failed) == (0, 0)
    assert len(tenant.open_sessions()) == 1


async def test_a_lapsed_session_that_the_index_does_not_know_ends_here(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    (session_id,) = await held(store, policy, tenant, "m0")
    tenant.let_lapse(session_id)
    tenant.session(session_id).update({"expiry_shard": firestore.DELETE_FIELD})

    report = await reconciliations(store, policy).reconcile()

    assert report.sessions_ended == 1
    assert [event["session_id"] for event in tenant.events("session.expired")] == [session_id]


async def test_a_session_whose_lease_an_admin_made_no_time_ends_here(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=1)
    (session,) = await held(store, policy, tenant, "m0")
    tenant.session(session).update({"lease_expires_at": "soon"})

    report = await reconciliations(store, policy).reconcile()

    assert (report.sessions_ended, said(tenant)) == (1, (0, {}))
    (event,) = tenant.events("session.expired")
    assert event["session_id"] == session


async def test_a_session_that_cannot_be_read_counts_on_and_stops_nobody(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    await held(store, policy, tenant, "m0", "m1")
    tenant.session("by-hand").set({"ended_at": None, "license_id": LICENSE_ID})
    tenant.user("m0").delete()

    report = await reconciliations(store, policy).reconcile()

    assert (report.sessions_ended, report.organizations_failed) == (1, 0)
    assert said(tenant) == (2, {LICENSE_ID: 2})


# Runs


async def test_pages_are_walked_to_their_end(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.seats.reconcile.PAGE", 2)
    tenants = [Tenant.create(console, seats=9) for _ in range(3)]
    for tenant in tenants:
        await held(store, policy, tenant, "m0", "m1", "m2")
        tenant.user("m1").delete()
        tenant.seats.update({"total": 8})

    report = await reconciliations(store, policy).reconcile()

    assert (report.organizations, report.sessions_ended, report.counters_repaired) == (3, 3, 3)
    assert [said(tenant) for tenant in tenants] == [(2, {LICENSE_ID: 2})] * 3


async def test_an_organization_whose_commits_fail_does_not_stop_the_others(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, whole = Tenant.create(console), Tenant.create(console)
    for tenant in (broken, whole):
        await held(store, policy, tenant, "m0")
        tenant.user("m0").delete()
    commit = store.commit

    async def refuse(writes: Sequence[Any]) -> None:
        if any(broken.organization_id in write.path for write in writes):
            message = "a fault that no repetition mends"
            raise RuntimeError(message)
        await commit(writes)

    monkeypatch.setattr(store, "commit", refuse)

    report = await reconciliations(store, policy).reconcile()

    assert (report.sessions_ended, report.organizations_failed) == (1, 1)
    assert whole.open_sessions() == []


async def test_when_the_time_is_up_nothing_more_is_begun_and_it_says_so(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    await held(store, policy, tenant, "m0")
    tenant.user("m0").delete()

    stopped = await reconciliations(store, policy, run_within=timedelta(0)).reconcile()
    finished = await reconciliations(store, policy).reconcile()

    assert (stopped.sessions_ended, stopped.organizations, stopped.is_complete) == (0, 0, False)
    assert (finished.sessions_ended, finished.organizations, finished.is_complete) == (1, 1, True)


async def test_two_runs_at_once_end_and_repair_once(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=9)
    await held(store, policy, tenant, "m0", "m1")
    tenant.user("m0").delete()
    tenant.seats.update({"total": 5})

    reports = await asyncio.gather(
        reconciliations(store, policy).reconcile(), reconciliations(another_store, policy).reconcile()
    )

    assert sum(report.sessions_ended for report in reports) == 1
    assert len(tenant.events("session.revoked")) == 1
    assert len(tenant.events("usage.repaired")) == 1
    assert said(tenant) == (1, {LICENSE_ID: 1})


# Many organizations


async def test_a_run_goes_on_where_the_time_of_the_last_one_was_up(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.seats.reconcile.PAGE", 1)
    tenants = [Tenant.create(console) for _ in range(4)]
    for tenant in tenants:
        await held(store, policy, tenant, "m0")
        tenant.user("m0").update({"is_active": False})
    seconds = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr("shared.documents.organizations.time", clock)

    reports = [await reconciliations(store, policy, run_within=timedelta(seconds=3)).reconcile() for _ in range(2)]

    assert [report.is_complete for report in reports] == [False, True]
    assert [tenant.open_sessions() for tenant in tenants] == [[]] * 4


async def test_a_run_that_begins_behind_the_front_reaches_the_front_too(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.seats.reconcile.PAGE", 2)
    tenants = [Tenant.create(console) for _ in range(5)]
    for tenant in tenants:
        await held(store, policy, tenant, "m0")
    middle = sorted(tenant.organization_id for tenant in tenants)[2]
    session = f"organizations/{middle}/sessions/0"
    place = {"walk": "sessions", "path": session, "value": None, "began_at": datetime.now(UTC)}
    console.document("runs/reconcile").set(place)

    report = await reconciliations(store, policy).reconcile()

    assert (report.organizations, report.is_complete) == (5, True)


async def test_a_place_says_since_when_its_round_is_under_way_and_a_run_over_all_organizations_ends_the_round(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.seats.reconcile.PAGE", 2)
    tenants = [Tenant.create(console) for _ in range(5)]
    for tenant in tenants:
        await held(store, policy, tenant, "m0")
    last_round = datetime.now(UTC) - timedelta(hours=2)
    first = min(tenant.organization_id for tenant in tenants)
    stored = console.document("runs/reconcile")
    stored.set({"walk": "sessions", "path": f"organizations/{first}/sessions/0", "value": None, "began_at": last_round})
    seconds = itertools.count()
    monkeypatch.setattr("shared.documents.organizations.time", SimpleNamespace(monotonic=lambda: next(seconds)))

    cut_off = await reconciliations(store, policy, run_within=timedelta(seconds=4)).reconcile()
    of_the_last_round = stored.get().to_dict()
    complete = await reconciliations(store, policy, run_within=timedelta(hours=1)).reconcile()
    of_the_next = stored.get().to_dict()

    assert [cut_off.is_complete, complete.is_complete] == [False, True]
    assert of_the_last_round is not None
    assert of_the_last_round["path"] > f"organizations/{first}/sessions/0"
    assert of_the_last_round["began_at"] == last_round
    assert of_the_next is not None
    assert of_the_next["began_at"] >= complete.now


async def test_where_no_page_is_full_any_more_no_round_is_left_under_way(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    await held(store, policy, Tenant.create(console), "m0")
    place = {"walk": "sessions", "path": "organizations/z/sessions/z", "value": None}
    console.document("runs/reconcile").set(place | {"began_at": datetime.now(UTC) - timedelta(days=30)})

    await reconciliations(store, policy).reconcile()

    stored = console.document("runs/reconcile").get().to_dict()
    assert stored is not None
    assert (stored["walk"], stored["path"]) == ("sessions", None)


@pytest.mark.parametrize("edit", [{"walk": 5}, {"path": "a/b/c"}, {"path": 7}, {"value": b"x"}, {"began_at": None}])
async def test_a_place_that_an_admin_edited_is_the_front(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, edit: dict[str, Any]
) -> None:
    tenant = Tenant.create(console)
    await held(store, policy, tenant, "m0")
    place = {"walk": "sessions", "path": "organizations/z/sessions/z", "value": None, "began_at": datetime.now(UTC)}
    console.document("runs/reconcile").set(place | edit)

    report = await reconciliations(store, policy).reconcile()

    assert report.organizations == 1


async def test_a_small_installation_writes_no_place(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    await held(store, policy, Tenant.create(console), "m0", "m1")

    await reconciliations(store, policy).reconcile()

    assert not console.document("runs/reconcile").get().exists
