"""Usage: who holds which seat, as much as the caller's role shows, and whether there were enough."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.rfc3339 import rfc3339
from tests.support.client import Clients, code_of
from tests.support.tenant import Tenant


def _last_24_hours(body: dict[str, Any]) -> dict[str, int]:
    """The sums of the one license, which are those of the whole 24 hours."""
    (license_,) = body["licenses"]
    sums: dict[str, Any] = dict(license_["last_24_hours"])
    begins_at, server_time = map(datetime.fromisoformat, (sums.pop("begins_at"), body["server_time"]))
    assert server_time - begins_at == timedelta(hours=24)
    return sums


@pytest.mark.parametrize("manager", ["olivia", "adam"])
async def test_owners_and_admins_see_who_holds_which_seat(
    clients: Clients, console: firestore.Client, manager: str
) -> None:
    tenant = Tenant.create(console, seats=4, organization_seats=9)
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
    shown = [license_[name] for name in ("license_id", "in_use", "max", "share")]
    assert shown == ["license-1", 2, 4, 0.5]
    assert [session["session_id"] for session in license_["sessions"]] == [first, second]
    assert license_["sessions"][0]["user_email"] == "m0@example.com"
    assert license_["earliest_expiry_at"] == license_["sessions"][0]["lease_expires_at"]
    assert _last_24_hours(body) == {"peak_in_use": 3, "peak_overdraft": 0, "denied_users": 0, "denied_attempts": 0}
    assert datetime.fromisoformat(body["server_time"]).tzinfo == UTC
    assert tenant.license_key not in response.text


async def test_members_see_their_own_sessions_and_the_totals(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    own = await clients.of(tenant, "m0").acquired()
    other = await clients.of(tenant, "m1").acquired()

    response = await clients.of(tenant, "m0").usage()

    (license_,) = response.json()["licenses"]
    assert license_["in_use"] == 2
    assert [session["session_id"] for session in license_["sessions"]] == [own]
    assert license_["last_24_hours"] is None
    assert other not in response.text
    assert "m1" not in response.text


async def test_guests_see_the_totals(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    await clients.of(tenant, "m0").acquired()

    body = (await clients.of(tenant, "gus").usage()).json()

    (license_,) = body["licenses"]
    assert (body["organization"]["in_use"], license_["in_use"]) == (1, 1)
    assert (license_["sessions"], license_["last_24_hours"]) == ([], None)


async def test_who_is_no_member_sees_nothing(clients: Clients, console: firestore.Client) -> None:
    response = await clients.of(Tenant.create(console), "nobody").usage()

    assert (response.status_code, code_of(response)) == (403, "USER_INACTIVE")


async def test_a_license_key_narrows_it_to_one_license(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    tenant.add_license("other", "OTHER-KEY", seats=7)
    here = await clients.of(tenant, "m0").acquired()
    elsewhere = await clients.of(tenant, "m1", license_key="OTHER-KEY").acquired()

    response = await clients.of(tenant, "olivia").usage(license_key="OTHER-KEY")

    (license_,) = response.json()["licenses"]
    assert (license_["license_id"], license_["max"]) == ("other", 7)
    assert [session["session_id"] for session in license_["sessions"]] == [elsewhere]
    assert here not in response.text
    assert response.json()["organization"]["in_use"] == 2


async def test_an_unknown_license_key_is_not_found(clients: Clients, console: firestore.Client) -> None:
    tenant, other = Tenant.create(console), Tenant.create(console)

    response = await clients.of(tenant, "olivia").usage(license_key=other.license_key)

    assert (response.status_code, code_of(response)) == (404, "LICENSE_NOT_FOUND")


async def test_sessions_come_in_pages_with_the_totals_on_each(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=5)
    held = {await clients.of(tenant, f"m{number}").acquired() for number in range(5)}
    owner = clients.of(tenant, "olivia")
    pages: list[dict[str, Any]] = []
    token: str | None = ""

    while token is not None:
        asked = {"page_token": token} if token else {}
        pages.append((await owner.usage(page_size="2", **asked)).json())
        token = pages[-1]["next_page_token"]

    licenses = [page["licenses"][0] for page in pages]
    assert [len(license_["sessions"]) for license_ in licenses] == [2, 2, 1]
    assert {session["session_id"] for license_ in licenses for session in license_["sessions"]} == held
    assert [license_["in_use"] for license_ in licenses] == [5, 5, 5]
    assert [license_["last_24_hours"] is None for license_ in licenses] == [False, True, True]


async def test_the_last_24_hours_tell_the_peak_and_who_was_denied(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=2)
    sessions = [await clients.of(tenant, name).acquired() for name in ("m0", "m1")]
    for name in ("m2", "m3", "m2"):
        assert (await clients.of(tenant, name).acquire()).status_code == 409
    for name, session_id in zip(("m0", "m1"), sessions, strict=True):
        await clients.of(tenant, name).release(session_id)

    body = (await clients.of(tenant, "olivia").usage()).json()

    assert body["organization"]["in_use"] == 0
    assert _last_24_hours(body) == {"peak_in_use": 2, "peak_overdraft": 0, "denied_users": 2, "denied_attempts": 3}


async def test_what_happened_longer_ago_does_not_count(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    session_id = await clients.of(tenant, "m0").acquired()
    await clients.of(tenant, "m1").acquire()
    await clients.of(tenant, "m0").release(session_id)
    yesterday = datetime.now(UTC) - timedelta(hours=24, minutes=1)
    for event in tenant.organization.collection("audit_events").list_documents():
        event.update({"at": yesterday})

    body = (await clients.of(tenant, "olivia").usage()).json()

    assert _last_24_hours(body) == {"peak_in_use": 0, "peak_overdraft": 0, "denied_users": 0, "denied_attempts": 0}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "501"}, "page_size"),
        ({"page_size": "many"}, "page_size"),
        ({"page_token": "a/b"}, "page_token"),
        ({"page_token": ""}, "page_token"),
        ({"license_key": ""}, "license_key"),
        ({"license_key": "x" * 257}, "license_key"),
        ({"organization_id": "another"}, "organization_id"),
        ({"page_size": ["1", "2"]}, "page_size"),
    ],
)
async def test_a_query_of_another_form_is_refused_and_says_where(
    clients: Clients, console: firestore.Client, query: dict[str, Any], field: str
) -> None:
    response = await clients.of(Tenant.create(console), "olivia").usage(**query)

    assert (response.status_code, code_of(response)) == (400, "INVALID_REQUEST")
    assert [each["field"] for each in response.json()["error"]["details"]["fields"]] == [field]


async def test_an_event_that_somebody_edited_does_not_break_it(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    await clients.of(tenant, "m0").acquired()
    (event,) = tenant.organization.collection("audit_events").list_documents()
    event.update({"type": "nonsense", "details": "gone"})

    (license_,) = (await clients.of(tenant, "olivia").usage()).json()["licenses"]

    assert license_["last_24_hours"]["peak_in_use"] == 1


async def test_a_license_that_cannot_be_used_says_what_to_mend(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    tenant.license().update({"max_concurrent_seats": -1, "expires_at": "tomorrow"})

    body = (await clients.of(tenant, "olivia").usage()).json()

    (license_,) = body["licenses"]
    assert license_["misconfigured_fields"] == ["max_concurrent_seats", "expires_at"]
    assert license_["max"] is None


async def test_a_license_that_gives_no_seat_says_why(clients: Clients, console: firestore.Client) -> None:
    tenant, ended_at = Tenant.create(console), datetime.now(UTC) - timedelta(days=30)
    tenant.add_license("over", "OVER", seats=1, expires_at=ended_at)
    tenant.add_license("off", "OFF", seats=1, is_active=False)
    tenant.add_license("soon", "SOON", seats=1, starts_at=datetime.now(UTC) + timedelta(days=30))
    tenant.add_license("twin", "TWIN", seats=1)
    tenant.add_license("other-twin", "TWIN", seats=1)

    body = (await clients.of(tenant, "olivia").usage()).json()

    told = {each["license_id"]: (each["status"], each["is_active"], each["expires_at"]) for each in body["licenses"]}
    assert told == {
        "license-1": ("active", True, None),
        "over": ("expired", True, rfc3339(ended_at)),
        "off": ("inactive", False, None),
        "soon": ("not_started", True, None),
        "twin": ("misconfigured", None, None),
        "other-twin": ("misconfigured", None, None),
    }


async def test_another_organizations_seats_are_not_in_it(clients: Clients, console: firestore.Client) -> None:
    tenant, other = Tenant.create(console), Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()

    response = await clients.of(other, "olivia").usage()

    assert session_id not in response.text
    assert response.json()["organization"]["in_use"] == 0
