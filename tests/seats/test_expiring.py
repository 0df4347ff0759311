"""The end of a license is reported 30, 7 and 1 days before, once each, however often and by how many it is noticed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.seats.reconcile import Reconciliations
from tests.support.connections import HeldCommit, WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant

AN_HOUR = timedelta(hours=1)


async def reconcile(store: WatchedFirestore, policy: Policy) -> None:
    await Reconciliations(store, policy, run_within=timedelta(minutes=1)).reconcile()


def ends_in(console: firestore.Client, span: timedelta, **fields: Any) -> Tenant:  # noqa: ANN401 a document holds anything
    return Tenant.create(console, expires_at=datetime.now(UTC) + span, **fields)


def reported(tenant: Tenant) -> list[int]:
    """How many days before the end it was reported."""
    return sorted(event["details"]["days_before"] for event in tenant.events("license.expiring"))


@pytest.mark.parametrize("days", [30, 7, 1])
async def test_an_end_is_reported_once_on_its_day_however_often_reconcile_runs(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, days: int
) -> None:
    tenant = ends_in(console, timedelta(days=days) - AN_HOUR)

    for _ in range(3):
        await reconcile(store, policy)

    (event,) = tenant.events("license.expiring")
    ends_at = tenant.license().get().get("expires_at")
    assert (event["license_id"], event["actor"]) == (LICENSE_ID, "system")
    assert event["details"] == {"expires_at": ends_at, "days_before": days}


@pytest.mark.parametrize(
    ("span", "fields"),
    [
        (timedelta(days=30) + AN_HOUR, {}),
        (timedelta(days=29) - AN_HOUR, {}),
        (-AN_HOUR, {}),
        (timedelta(days=7) - AN_HOUR, {"is_active": False}),
        (timedelta(days=7) - AN_HOUR, {"lease_seconds": "six"}),
    ],
    ids=["not yet", "between two reports", "over", "deactivated", "misconfigured"],
)
async def test_no_other_license_is_reported(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, span: timedelta, fields: dict[str, Any]
) -> None:
    tenant = ends_in(console, span, **fields)

    await reconcile(store, policy)

    assert reported(tenant) == []


async def test_an_end_that_an_admin_moved_is_another_one(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = ends_in(console, timedelta(days=1) - AN_HOUR)
    await reconcile(store, policy)

    tenant.license().update({"expires_at": datetime.now(UTC) + timedelta(days=30) - AN_HOUR})
    await reconcile(store, policy)

    assert reported(tenant) == [1, 30]


async def test_licenses_of_one_organization_are_reported_together_and_a_later_one_alone(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = ends_in(console, timedelta(days=7) - AN_HOUR)
    ends_at = datetime.now(UTC) + timedelta(days=7) - AN_HOUR
    tenant.add_license("license-2", "SECOND", seats=1, expires_at=ends_at)
    await reconcile(store, policy)
    tenant.add_license("license-3", "THIRD", seats=1, expires_at=ends_at)

    await reconcile(store, policy)

    events = tenant.events("license.expiring")
    assert sorted(event["license_id"] for event in events) == ["license-1", "license-2", "license-3"]


async def test_two_runs_that_race_report_it_once(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = ends_in(console, timedelta(days=7) - AN_HOUR)
    halt = HeldCommit(store)
    late = asyncio.create_task(reconcile(store, policy))
    await halt.reached.wait()

    await reconcile(another_store, policy)
    halt.let_go.set()
    await late

    assert halt.outcomes[0] == "conflict"
    assert reported(tenant) == [7]
