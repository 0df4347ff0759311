"""Several machines on one seat, over HTTP: what people see of them, and where the license limits them."""

import pytest
from google.cloud import firestore

from tests.support.client import Client, Clients, assert_error
from tests.support.tenant import Tenant


async def _on_machines(client: Client, machines: range) -> list[int]:
    """Acquire from these machines, one after the other, and return the statuses."""
    statuses = []
    for number in machines:
        body = {
            "license_key": client.license_key,
            "hardware_id": client.hardware_id,
            "instance_id": f"instance-{number:08}",
        }
        response = await client.post("acquire", json=body, headers={"X-Forwarded-For": f"198.51.100.{number}"})
        statuses.append(response.status_code)
    return statuses


async def test_usage_shows_how_many_machines_work_on_a_seat_and_from_where_to_those_who_see_the_session(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1)
    client = clients.of(tenant, "m0")

    statuses = await _on_machines(client, range(1, 13))

    assert statuses == [201] + 11 * [200]
    for user_id in ("olivia", "m0"):
        (license_,) = (await clients.of(tenant, user_id).usage()).json()["licenses"]
        (session,) = license_["sessions"]
        assert license_["in_use"] == 1
        assert session["instances"] == 12
        assert sorted(session["addresses"]) == sorted(f"198.51.100.{number}" for number in range(1, 13))
    assert "198.51.100" not in (await clients.of(tenant, "m1").usage()).text


async def test_one_machine_more_than_the_license_allows_is_refused_until_one_leaves(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1, max_instances_per_seat=2)
    client = clients.of(tenant, "m0")
    await _on_machines(client, range(1, 3))

    refused = await client.acquire(instance_id="instance-00000003")
    session_id = refused.json()["error"]["details"]["session_id"]
    unknown = await client.heartbeat(session_id, instance_id="instance-00000003")
    old_client = await client.heartbeat(session_id)
    left = await client.release(session_id, instance_id="instance-00000001")
    taken = await client.acquire(instance_id="instance-00000003")

    for answer in (refused, unknown):
        assert_error(answer, 409, "INSTANCE_LIMIT_REACHED")
        details = answer.json()["error"]["details"]
        assert (details["instances"], details["max"], details["retry_after_seconds"]) == (2, 2, 60)
        assert answer.headers["Retry-After"] == "60"
    assert (old_client.status_code, left.status_code, taken.status_code) == (200, 204, 200)
    assert tenant.events("session.denied") == []


@pytest.mark.parametrize("user_id", ["m0", "olivia"])
async def test_a_seat_that_its_user_gives_back_from_elsewhere_is_over_for_the_program(
    clients: Clients, console: firestore.Client, user_id: str
) -> None:
    tenant = Tenant.create(console, seats=1)
    office = clients.of(tenant, user_id)
    session_id = (await office.acquire(instance_id="instance-at-the-office")).json()["session_id"]

    released = await clients.of(tenant, user_id, hardware_id="at home").release(session_id)
    beat = await office.heartbeat(session_id, instance_id="instance-at-the-office")

    assert released.status_code == 204
    assert_error(beat, 410, "SESSION_REVOKED")
    assert beat.json()["error"]["details"] == {"reason": "released_elsewhere"}
    (event,) = tenant.events("session.released")
    assert (event["actor"], event["details"]["reason"]) == (user_id, "released_elsewhere")
    assert (await clients.of(tenant, "m1").acquire()).status_code == 201
