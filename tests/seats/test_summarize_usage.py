"""Summarize usage on the emulator: the days of the history, counted from the trail and from what is open."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import firestore

from shared.documents.policy import Policy
from shared.firestore.client import Firestore
from shared.rules.history import start_of
from shared.seats.summarize_usage import DAYS_BACK, Summaries, SummarizeReport
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def _three_days_ago() -> datetime:
    """The start of a day that has settled, also if a test runs across midnight."""
    return start_of(datetime.now(UTC).date() - 3 * DAY)


async def _summarize(store: Firestore, policy: Policy) -> SummarizeReport:
    return await Summaries(store, policy, run_within=timedelta(minutes=1)).summarize()


def _days(tenant: Tenant) -> dict[str, dict[str, Any]]:
    """The days that are written, by license and date."""
    found = tenant.organization.collection("usage_days").stream()
    return {document.id: document.to_dict() or {} for document in found}


def _latest(tenant: Tenant) -> str:
    """The day that a run counted last: today, or yesterday if midnight was a moment ago."""
    return max(_days(tenant))


def _day(tenant: Tenant, start: datetime, license_id: str = LICENSE_ID) -> dict[str, Any]:
    return _days(tenant)[f"{license_id}~{start.date().isoformat()}"]


def _told(tenant: Tenant, kind: str, at: datetime, user: str, **details: Any) -> None:  # noqa: ANN401 any detail
    """Write an event of the trail."""
    event = {"type": kind, "at": at, "license_id": LICENSE_ID, "session_id": f"of-{user}", "user_id": user}
    tenant.organization.collection("audit_events").add({**event, "details": details})


def _released(tenant: Tenant, user: str, since: datetime, until: datetime) -> None:
    lease = {"last_heartbeat_at": until, "lease_expires_at": until + timedelta(minutes=6)}
    _told(tenant, "session.released", until, user, started_at=since, **lease)


def _open(tenant: Tenant, user: str, since: datetime) -> None:
    now = datetime.now(UTC)
    tenure = {"started_at": since, "last_heartbeat_at": now, "lease_expires_at": now + HOUR, "ended_at": None}
    tenant.session(f"of-{user}").set({"license_id": LICENSE_ID, "user_id": user, "hardware_id": "d", **tenure})


async def test_a_day_is_counted_from_the_ends_of_tenures_the_open_ones_and_those_who_got_no_seat(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, start = Tenant.create(console, seats=2), _three_days_ago()
    _released(tenant, "m0", start - HOUR, start + HOUR)
    _open(tenant, "m1", start + HOUR / 2)
    _told(tenant, "session.denied", start + HOUR / 2, "m2", last_attempt_at=start + HOUR / 2, attempts=1)
    _told(tenant, "session.queued", start + HOUR, "m3", since=start + HOUR)
    _told(tenant, "session.gave_up", start + 2 * HOUR, "m3", since=start + HOUR, waited_seconds=1_800)
    edited = [{"field": "max_concurrent_seats", "before": "1", "after": "2"}]
    _told(tenant, "license.edited", start + HOUR / 2, "", edit="changed", changes=edited)

    report = await _summarize(store, policy)

    day = _day(tenant, start)
    assert (report.organizations, report.organizations_failed, report.is_complete) == (1, 0, True)
    assert report.days_written == DAYS_BACK + 1
    assert day["peak_in_use"] == [1, 2, *[1] * 46]
    assert day["peak_demand"] == [1, 3, 2, *[1] * 45]
    assert day["seats"] == [1, *[2] * 47]
    assert day["seconds_at"] == {"1": 86_400 - 1_800, "2": 1_800}
    assert (day["people_denied"], day["people_turned_away"]) == (1, 2)
    assert day["is_settled"]
    today = _days(tenant)[_latest(tenant)]
    assert today["seconds_at"].keys() <= {"1"}
    assert not today["is_settled"]


async def test_a_settled_day_is_not_counted_again_and_runs_at_the_same_time_write_the_same(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, start = Tenant.create(console), _three_days_ago()
    _released(tenant, "m0", start, start + HOUR)

    reports = await asyncio.gather(_summarize(store, policy), _summarize(another_store, policy))
    then = _day(tenant, start)
    _released(tenant, "m1", start, start + HOUR)
    await _summarize(store, policy)

    assert [report.organizations_failed for report in reports] == [0, 0]
    assert _day(tenant, start) == then
    assert then["seat_seconds"] == 3_600


async def test_a_run_that_read_earlier_never_replaces_what_a_later_one_wrote(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    report = await _summarize(store, policy)
    today = tenant.organization.collection("usage_days").document(_latest(tenant))
    later = report.now + HOUR
    today.update({"computed_at": later, "seat_seconds": 7})

    await _summarize(store, policy)

    stored = today.get().to_dict() or {}
    assert (stored["computed_at"], stored["seat_seconds"]) == (later, 7)


async def test_the_last_days_of_a_deleted_license_settle_too(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, start = Tenant.create(console), _three_days_ago()
    _released(tenant, "m0", start, start + HOUR)
    await _summarize(store, policy)
    day = tenant.organization.collection("usage_days").document(f"{LICENSE_ID}~{start.date().isoformat()}")
    day.update({"is_settled": False, "computed_at": start + HOUR / 2})
    tenant.license().delete()

    await _summarize(store, policy)

    stored = day.get().to_dict() or {}
    assert (stored["is_settled"], stored["seat_seconds"]) == (True, 3_600)
    assert stored["seats"] == [None] * 48


async def test_an_organization_with_more_events_than_a_run_can_hold_fails_alone(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    busy, quiet, start = Tenant.create(console), Tenant.create(console), _three_days_ago()
    for tenant, users in ((busy, ("m0", "m1", "m2")), (quiet, ("m0",))):
        for user in users:
            _released(tenant, user, start, start + HOUR)

    report = await Summaries(store, policy, run_within=timedelta(minutes=1), max_events=2).summarize()

    assert report.organizations_failed == 1
    assert _days(busy) == {}
    assert _day(quiet, start)["seat_seconds"] == HOUR.total_seconds()


async def test_an_organization_in_which_nothing_happens_costs_few_reads(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    Tenant.create(console)
    await _summarize(store, policy)
    store.forget()

    await _summarize(store, policy)

    assert sum(max(1, number) for call, number in store.calls if call in {"read", "select"}) <= 20
