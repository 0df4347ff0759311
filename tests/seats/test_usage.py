"""Usage: what a report reads, and what it leaves alone."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.rules.acquire import Device
from shared.rules.usage import LicenseUsage, Usage
from shared.seats import summarize_usage
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.summarize_usage import Summaries
from shared.seats.usage import UsageRequest, Usages
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant


async def _ask(acquires: Acquires, tenant: Tenant, user: str, device: str, license_key: str) -> None:
    asked = Device(hardware_id=device, ip_address=None, user_agent=None)
    await acquires.acquire(tenant.organization_id, AcquireRequest(user_id=user, license_key=license_key, device=asked))


async def _usage(usages: Usages, tenant: Tenant) -> dict[str, LicenseUsage]:
    asked = UsageRequest(user_id="olivia", license_key=None, page_size=1, after=None)
    report = (await usages.usage(tenant.organization_id, asked)).outcome
    assert isinstance(report, Usage)
    return {license_.license_id: license_ for license_ in report.licenses}


async def test_a_flood_of_events_hides_no_denial_of_another_license(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summarize_usage, "_EVENTS", 5)
    tenant, now = Tenant.create(console), datetime.now(UTC)
    tenant.add_license("viewer", "VIEWER", seats=1_000)

    def denied(license_id: str, user_id: str, *, minutes_ago: float) -> None:
        at = now - timedelta(minutes=minutes_ago)
        event = {"type": "session.denied", "at": at, "license_id": license_id, "session_id": "s", "user_id": user_id}
        details = {"last_attempt_at": at, "attempts": 1}
        tenant.organization.collection("audit_events").add({**event, "details": details})

    denied(LICENSE_ID, "m0", minutes_ago=40)
    for number in range(12):
        denied("viewer", "m1", minutes_ago=20 + number)
    await Summaries(store, policy, run_within=timedelta(minutes=1)).summarize()
    lately = {license_id: each.activity for license_id, each in (await _usage(Usages(store, policy), tenant)).items()}

    assert {license_id: each and each.denied_users for license_id, each in lately.items()} == {
        LICENSE_ID: 1,
        "viewer": len({(now - timedelta(minutes=20 + number)).date() for number in range(12)}),
    }


@pytest.mark.parametrize(
    ("terms", "more"),
    [
        ({"features": {"edition": "pro"}, "overdraft_seats": 2, "max_devices_per_user": 1, "idle_seconds": 60}, 0),
        ({"reservations": {"design": 1, "render": 1}}, 2),
    ],
    ids=["no reservations", "two reservations"],
)
async def test_a_report_counts_once_more_for_each_reservation_and_costs_nothing_for_other_terms(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, terms: dict[str, Any], more: int
) -> None:
    tenant, usages = Tenant.create(console), Usages(store, policy)
    store.forget()
    await _usage(usages, tenant)
    without = Counter(store.calls)
    tenant.license().update(terms)
    store.forget()

    await _usage(usages, tenant)

    assert Counter(store.calls) - without == Counter({("count", 1): more} if more else {})
    assert without - Counter(store.calls) == Counter()


async def test_a_report_writes_nothing(store: WatchedFirestore, console: firestore.Client, policy: Policy) -> None:
    # infra/terraform/access.tf gives usage no right to write.
    tenant = Tenant.create(console)
    await _ask(Acquires(store, policy), tenant, "m0", "desk", tenant.license_key)
    store.forget()

    assert await _usage(Usages(store, policy), tenant)

    assert {call for call, _ in store.calls} == {"read", "select", "count"}


async def test_an_organization_without_a_license_has_a_report_too(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    tenant.license().delete()

    assert await _usage(Usages(store, policy), tenant) == {}
