"""Summarize usage on the emulator: the days of the history, counted from the trail and from what is open."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.documents.usage_days import usage_day_from
from shared.firestore.client import Document, Firestore
from shared.rules.history import start_of
from shared.rules.usage import Usage
from shared.seats import summarize_usage
from shared.seats.summarize_usage import DAYS_BACK, Summaries, SummarizeReport
from shared.seats.usage import UsageRequest, Usages
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


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


def _document(tenant: Tenant, start: datetime) -> Document:
    name = f"{LICENSE_ID}~{start.date().isoformat()}"
    return Document(path=name, fields=_days(tenant)[name], update_time=None)


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


async def test_a_flooded_day_is_given_up_alone_and_its_events_are_read_no_more(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member acquires and releases without end. The owner still has the days after it, and so has everybody else."""
    monkeypatch.setattr(summarize_usage, "_EVENTS", 5)
    flooded, quiet, flood = Tenant.create(console), Tenant.create(console), _three_days_ago()
    for number in range(20):
        _released(flooded, "m0", flood + number * MINUTE, flood + (number + 1) * MINUTE)
    for tenant in (flooded, quiet):
        _released(tenant, "m1", flood + 2 * DAY, flood + 2 * DAY + HOUR)
        _released(tenant, "m1", flood - DAY, flood - DAY + HOUR)
    summaries = Summaries(store, policy, run_within=timedelta(minutes=1), max_events=10)

    reports = [await summaries.summarize()]
    told = {day: usage_day_from(_document(flooded, day)) for day in (flood - DAY, flood, flood + DAY, flood + 2 * DAY)}
    store.forget()
    reports.append(await summaries.summarize())

    assert [(report.organizations, report.organizations_failed) for report in reports] == [(2, 0)] * 2
    assert {day: (each.is_given_up, each.seat_seconds) for day, each in told.items() if each is not None} == {
        flood - DAY: (True, 0),  # not counted in time, and behind the flood
        flood: (True, 0),
        flood + DAY: (False, 0),
        flood + 2 * DAY: (False, 3_600),
    }
    assert _day(quiet, flood - DAY)["seat_seconds"] == 3_600
    assert sum(number for call, number in store.calls if call == "select") < 20
    asked = UsageRequest(user_id="olivia", license_key=None, page_size=1, after=None)
    usage = (await Usages(store, policy).usage(flooded.organization_id, asked)).outcome
    assert isinstance(usage, Usage)
    assert usage.licenses[0].activity is not None  # ``last_24_hours`` of the answer


async def test_a_day_that_is_flooded_later_keeps_what_was_counted_of_it(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, start = Tenant.create(console), _three_days_ago()
    _released(tenant, "m0", start, start + HOUR)
    await _summarize(store, policy)
    document = tenant.organization.collection("usage_days").document(f"{LICENSE_ID}~{start.date().isoformat()}")
    document.update({"is_settled": False, "computed_at": start + 2 * HOUR})
    before = document.get().to_dict() or {}
    for number in range(3):
        _released(tenant, "m1", start + 3 * HOUR, start + 3 * HOUR + number * MINUTE)

    await Summaries(store, policy, run_within=timedelta(minutes=1), max_events=2).summarize()

    assert document.get().to_dict() == before | {"is_settled": True}


async def test_an_organization_in_which_nothing_happens_costs_few_reads(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    Tenant.create(console)
    await _summarize(store, policy)
    store.forget()

    await _summarize(store, policy)

    assert sum(max(1, number) for call, number in store.calls if call in {"read", "select"}) <= 20
