"""Usage: who holds which seat, for those who manage them."""

from datetime import UTC, datetime

import pytest
from google.cloud import firestore

from tests.support.client import Clients, code_of
from tests.support.tenant import Tenant


@pytest.mark.parametrize("manager", ["olivia", "adam"])
async def test_owners_and_admins_see_who_holds_which_seat(
    clients: Clients, console: firestore.Client, manager: str
) -> None:
    tenant = Tenant.create(console, seats=3, organization_seats=9)
    first = await clients.of(tenant, "m0", hardware_id="d0").acquired()
    second = await clients.of(tenant, "m1", hardware_id="d1").acquired()
    lapsed = await clients.of(tenant, "m2").acquired()
    tenant.let_lapse(lapsed)

    response = await clients.of(tenant, manager).usage()

    assert response.status_code == 200
    body = response.json()
    assert body["organization"] == {
        "organization_id": tenant.organization_id,
        "name": "Org",
        "in_use": 2,
        "max": 9,
    }
    (license_,) = body["licenses"]
    assert (license_["license_id"], license_["in_use"], license_["max"]) == ("license-1", 2, 3)
    assert [session["session_id"] for session in license_["sessions"]] == [first, second]
    assert license_["sessions"][0]["user_email"] == "m0@example.com"
    assert datetime.fromisoformat(body["server_time"]).tzinfo == UTC
    assert tenant.license_key not in response.text


@pytest.mark.parametrize(
    ("user_id", "code"), [("m0", "ROLE_NOT_ALLOWED"), ("gus", "ROLE_NOT_ALLOWED"), ("nobody", "USER_INACTIVE")]
)
async def test_others_do_not(clients: Clients, console: firestore.Client, user_id: str, code: str) -> None:
    response = await clients.of(Tenant.create(console), user_id).usage()

    assert (response.status_code, code_of(response)) == (403, code)


async def test_a_license_that_cannot_be_used_says_what_to_mend(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    tenant.license().update({"max_concurrent_seats": -1, "expires_at": "tomorrow"})

    body = (await clients.of(tenant, "olivia").usage()).json()

    (license_,) = body["licenses"]
    assert license_["misconfigured_fields"] == ["max_concurrent_seats", "expires_at"]
    assert license_["max"] is None


async def test_another_organizations_seats_are_not_in_it(clients: Clients, console: firestore.Client) -> None:
    tenant, other = Tenant.create(console), Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()

    response = await clients.of(other, "olivia").usage()

    assert session_id not in response.text
    assert response.json()["organization"]["in_use"] == 0
