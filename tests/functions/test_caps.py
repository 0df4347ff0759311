"""Caps: of a license, of the organization over all its licenses, lowered, zero and absent."""

import asyncio

import pytest
from google.cloud import firestore

from tests.support.client import Clients, code_of
from tests.support.tenant import Tenant


async def test_the_organizations_cap_counts_all_its_licenses_together(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=10, organization_seats=4, members=12)
    tenant.add_license("license-2", "SECOND-" + tenant.license_key, seats=10)
    keys = (tenant.license_key, "SECOND-" + tenant.license_key)
    crowd = [clients.of(tenant, f"m{n}", license_key=keys[n % 2]) for n in range(12)]

    responses = await asyncio.gather(*(client.acquire() for client in crowd))

    assert sorted(response.status_code for response in responses) == [201] * 4 + [409] * 8
    refused = [response for response in responses if response.status_code == 409]
    assert {code_of(response) for response in refused} == {"ORGANIZATION_SEAT_LIMIT_REACHED"}
    details = refused[0].json()["error"]["details"]
    assert (details["in_use"], details["max"]) == (4, 4)
    assert details["earliest_expiry_at"] is not None
    assert tenant.counters()["total"] == 4


async def test_a_lapsed_session_of_one_license_frees_a_seat_of_the_organization_for_another(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=5, organization_seats=1)
    tenant.add_license("license-2", "SECOND-" + tenant.license_key, seats=5)
    tenant.let_lapse(await clients.of(tenant, "m0").acquired())

    granted = await clients.of(tenant, "m1", license_key="SECOND-" + tenant.license_key).acquire()

    assert granted.status_code == 201
    assert {key: held for key, held in tenant.counters()["by_license"].items() if held} == {"license-2": 1}


async def test_a_cap_lowered_below_use_throws_nobody_out_and_grants_nothing(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=5)
    holders = [clients.of(tenant, f"m{n}") for n in range(4)]
    sessions = [await holder.acquired() for holder in holders]
    tenant.license().update({"max_concurrent_seats": 2})

    refused = await clients.of(tenant, "m4").acquire()
    beats = [await holder.heartbeat(session) for holder, session in zip(holders, sessions, strict=True)]
    renewed = await holders[0].acquire()
    report = (await clients.of(tenant, "olivia").usage()).json()

    details = refused.json()["error"]["details"]
    assert (refused.status_code, details["in_use"], details["max"]) == (409, 4, 2)
    assert [beat.status_code for beat in beats] == [200] * 4
    assert renewed.status_code == 200
    assert (report["licenses"][0]["in_use"], report["licenses"][0]["max"]) == (4, 2)
    for holder, session in list(zip(holders, sessions, strict=True))[:2]:
        await holder.release(session)
    assert (await clients.of(tenant, "m4").acquire()).status_code == 409, "two are in use, two are allowed"
    await holders[2].release(sessions[2])
    assert (await clients.of(tenant, "m4").acquire()).status_code == 201


@pytest.mark.parametrize("cap", ["license", "organization"])
async def test_a_cap_of_zero_grants_nothing_and_knows_no_time(
    clients: Clients, console: firestore.Client, cap: str
) -> None:
    tenant = Tenant.create(
        console, seats=0 if cap == "license" else 3, organization_seats=0 if cap == "organization" else None
    )

    refused = await clients.of(tenant).acquire()

    assert refused.status_code == 409
    details = refused.json()["error"]["details"]
    assert (details["in_use"], details["max"], details["earliest_expiry_at"]) == (0, 0, None)
    assert details["retry_after_seconds"] >= 1


async def test_an_organization_without_a_cap_is_bound_by_its_licenses_only(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=7, organization_seats=None, members=8)

    responses = await asyncio.gather(*(clients.of(tenant, f"m{n}").acquire() for n in range(8)))

    assert sorted(response.status_code for response in responses) == [201] * 7 + [409]


async def test_missing_caps_are_five(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, members=6)
    tenant.organization.set({"name": "Org"})
    tenant.license().set({"license_key": tenant.license_key})

    responses = await asyncio.gather(*(clients.of(tenant, f"m{n}").acquire() for n in range(6)))

    assert sorted(response.status_code for response in responses) == [201] * 5 + [409]
