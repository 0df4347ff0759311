"""Usage of an organization in which more happened than one report sums up."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.rules.acquire import Device
from shared.rules.usage import ACTIVITY_FOR, LicenseUsage, Usage
from shared.seats import usage as usage_module
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.usage import UsageRequest, Usages
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant

SUMMED_UP = 20


async def _ask(acquires: Acquires, tenant: Tenant, user: str, device: str, license_key: str) -> None:
    asked = Device(hardware_id=device, ip_address=None, user_agent=None)
    await acquires.acquire(tenant.organization_id, AcquireRequest(user_id=user, license_key=license_key, device=asked))


async def _usage(usages: Usages, tenant: Tenant) -> dict[str, LicenseUsage]:
    asked = UsageRequest(user_id="olivia", license_key=None, page_size=1, after=None)
    report = (await usages.usage(tenant.organization_id, asked)).outcome
    assert isinstance(report, Usage)
    return {license_.license_id: license_ for license_ in report.licenses}


async def test_a_flood_on_one_license_hides_nothing_of_another_and_says_since_when_its_own_sums_are_complete(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_module, "MAX_EVENTS", SUMMED_UP)
    tenant, acquires, usages = Tenant.create(console, seats=0), Acquires(store, policy), Usages(store, policy)
    tenant.add_license("viewer", "VIEWER", seats=1_000)
    for user in ("m1", "m2", "m3"):
        await _ask(acquires, tenant, user, "desk", tenant.license_key)
    before = await _usage(usages, tenant)

    for number in range(SUMMED_UP):
        await _ask(acquires, tenant, "m0", f"invented-{number}", "VIEWER")
    after = await _usage(usages, tenant)

    cad, viewer = after[LICENSE_ID].activity, after["viewer"].activity
    assert cad is not None
    assert viewer is not None
    assert (cad.denied_users, cad.denied_attempts) == (3, 3)
    assert viewer.begins_at - cad.begins_at > ACTIVITY_FOR - timedelta(minutes=30)
    assert viewer.peak_in_use == SUMMED_UP
    assert before["viewer"].activity is not None
    assert before["viewer"].activity.begins_at <= cad.begins_at


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
