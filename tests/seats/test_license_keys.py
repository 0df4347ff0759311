"""License keys: found once and remembered; one that no license has is remembered for seconds only."""

import asyncio
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.paths import OrganizationPaths
from shared.firestore.errors import StoreUnavailable
from shared.seats.license_keys import NOT_FOUND_FOR, QUERIES_AT_A_TIME, LicenseKeys
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant


async def test_a_key_that_no_license_has_costs_one_query_for_some_seconds_and_then_counts(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    seconds = 0.0
    keys = LicenseKeys(store, clock=lambda: seconds)
    tenant = Tenant.create(console)
    paths = OrganizationPaths(tenant.organization_id)
    before = await keys.find(paths, ["NEW-KEY"])
    tenant.license().update({"license_key": "NEW-KEY"})

    seconds = NOT_FOUND_FOR.total_seconds() - 0.01
    meanwhile = await keys.find(paths, ["NEW-KEY"])
    seconds = NOT_FOUND_FOR.total_seconds()
    after = await keys.find(paths, ["NEW-KEY"])

    assert [found["NEW-KEY"] for found in (before, meanwhile, after)] == [None, None, LICENSE_ID]
    assert [call for call, _ in store.calls] == ["select", "select"]


async def test_after_an_error_no_more_keys_are_looked_up(store: WatchedFirestore, console: firestore.Client) -> None:
    tenant, asked = Tenant.create(console), 0

    async def unavailable(*_: Any, **__: Any) -> list[Any]:  # noqa: ANN401 passed on as they are
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        message = "Firestore does not answer"
        raise StoreUnavailable(message)

    store.select = unavailable  # type: ignore[method-assign]  # an outage that fails some of the queries
    invented = [f"INVENTED-{number}" for number in range(100)]

    with pytest.raises(StoreUnavailable):
        await LicenseKeys(store).find(OrganizationPaths(tenant.organization_id), invented)
    for _ in range(1000):
        await asyncio.sleep(0)

    assert asked <= 2 * QUERIES_AT_A_TIME


async def test_invented_keys_have_few_queries_at_a_time_and_all_are_answered(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    tenant, under_way, most = Tenant.create(console), 0, 0
    select = store.select

    async def watched(parent: Any, query: Any, **at: Any) -> Any:  # noqa: ANN401 passed on as they are
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await select(parent, query, **at)
        finally:
            under_way -= 1

    store.select = watched  # type: ignore[method-assign]  # the test stands between the keys and Firestore
    invented = [f"INVENTED-{number}" for number in range(100)]

    found = await LicenseKeys(store).find(OrganizationPaths(tenant.organization_id), [*invented, tenant.license_key])

    assert found == {**dict.fromkeys(invented), tenant.license_key: LICENSE_ID}
    assert most == QUERIES_AT_A_TIME
