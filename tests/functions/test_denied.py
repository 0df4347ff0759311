"""Denials: who could not work for want of a seat, how often they tried, and how the subscriber learns of it."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from shared.rules.session import session_id_of
from tests.support.client import Client, Clients, code_of
from tests.support.cloud_event import CloudEvent
from tests.support.servers import StartFunction
from tests.support.subscriber import Subscriber
from tests.support.tenant import Tenant


async def _denied(client: Client, times: int = 1) -> None:
    """Ask for a seat in vain, as a client that polls."""
    for _ in range(times):
        response = await client.acquire()
        assert (response.status_code, response.json()["error"]["retryable"]) == (409, True), response.text


def _denials(tenant: Tenant) -> list[dict[str, Any]]:
    """The denials of one user: one, or two when the minute has just ended."""
    denials = tenant.events("session.denied")
    assert 1 <= len(denials) <= 2
    assert len({denial["at"] for denial in denials}) == len(denials)
    assert {(denial["at"].second, denial["at"].microsecond) for denial in denials} == {(0, 0)}
    return denials


def _attempts(denials: list[dict[str, Any]]) -> int:
    return sum(denial["details"]["attempts"] for denial in denials)


# What is written


async def test_the_attempts_of_a_client_that_polls_are_one_event_a_minute_with_their_number(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1, organization_seats=4)
    await clients.of(tenant, "m0").acquired()
    waiting = clients.of(tenant, "m1", hardware_id="workshop-pc")
    body = {"license_key": tenant.license_key, "hardware_id": "workshop-pc"}
    headers = {"User-Agent": "cad/9.1", "X-Forwarded-For": "6.6.6.6, 203.0.113.9"}

    for _ in range(5):
        assert (await waiting.post("acquire", json=body, headers=headers)).status_code == 409

    denials = _denials(tenant)
    assert _attempts(denials) == 5
    for denial in denials:
        details = denial.pop("details")
        assert denial.pop("at") <= details.pop("last_attempt_at") <= datetime.now(UTC)
        assert denial.pop("purge_at") > datetime.now(UTC)
        assert details.pop("attempts") >= 1
        assert denial == {
            "type": "session.denied",
            "actor": "m1",
            "organization_id": tenant.organization_id,
            "license_id": "license-1",
            "session_id": session_id_of(license_id="license-1", user_id="m1", hardware_id="workshop-pc"),
            "user_id": "m1",
            "hardware_id": "workshop-pc",
            "grant_number": None,
            "published_at": None,
            "unpublished_shard": denial["unpublished_shard"],
        }
        assert details == {
            "limit": "license",
            "for_waiting": 0,
            "ip_address": "203.0.113.9",
            "user_agent": "cad/9.1",
            "user_email": "m1@example.com",
            "seats": {"in_use": 1, "max": 1},
            "organization_seats": {"in_use": 1, "max": 4},
        }


async def test_a_refusal_carries_the_instant_of_its_decision_by_the_databases_clock(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=0)

    answer = await clients.of(tenant).acquire()

    (denial,) = tenant.events("session.denied")
    assert datetime.fromisoformat(answer.json()["server_time"]) == denial["details"]["last_attempt_at"]


async def test_a_denial_takes_no_seat_and_no_number(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    holder = clients.of(tenant, "m0")
    session_id = await holder.acquired()
    before = tenant.counters()

    await _denied(clients.of(tenant, "m1"), times=3)

    assert tenant.counters() == before
    await holder.release(session_id)
    assert (await clients.of(tenant, "m1").acquire()).status_code == 201
    assert [event["grant_number"] for event in tenant.events("session.acquired")] == [1, 2]


async def test_the_organizations_cap_is_named_as_the_one_that_stood_in_the_way(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=3, organization_seats=1)
    await clients.of(tenant, "m0").acquired()

    await _denied(clients.of(tenant, "m1"))

    (denial,) = _denials(tenant)
    assert denial["details"]["limit"] == "organization"
    assert denial["details"]["seats"] == {"in_use": 1, "max": 3}
    assert denial["details"]["organization_seats"] == {"in_use": 1, "max": 1}


async def test_every_user_and_every_license_has_denials_of_its_own_and_the_devices_of_a_user_add_up(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=0)
    tenant.add_license("license-2", "SECOND-" + tenant.license_key, seats=0)
    desk, laptop = clients.of(tenant, "m0", hardware_id="desk"), clients.of(tenant, "m0", hardware_id="laptop")
    other = clients.of(tenant, "m1", hardware_id="desk")
    second = clients.of(tenant, "m0", hardware_id="desk", license_key="SECOND-" + tenant.license_key)

    await asyncio.gather(_denied(desk, 3), _denied(laptop, 2), _denied(other), _denied(second))

    attempts = Counter[tuple[str, str]]()
    for denial in tenant.events("session.denied"):
        attempts[denial["license_id"], denial["user_id"]] += denial["details"]["attempts"]
    assert attempts == {("license-1", "m0"): 5, ("license-1", "m1"): 1, ("license-2", "m0"): 1}


async def test_a_denial_names_the_device_of_the_latest_attempt(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=0)
    for device in ("desk", "laptop"):
        await _denied(clients.of(tenant, "m0", hardware_id=device))

    latest = max(_denials(tenant), key=lambda denial: denial["at"])

    session_id = session_id_of(license_id="license-1", user_id="m0", hardware_id="laptop")
    assert (latest["hardware_id"], latest["session_id"]) == ("laptop", session_id)


async def test_120_refusals_of_one_user_in_three_processes_at_once_are_one_denial_with_their_number(
    console: firestore.Client,
    http: httpx.AsyncClient,
    start_server: StartFunction,
    servers: Mapping[str, Process],
    project: str,
) -> None:
    tenant = Tenant.create(console, seats=0)
    others = [start_server("acquire") for _ in range(2)]
    for process in others:
        process.wait_until_ready()
    urls = [servers["acquire"].url, *(process.url for process in others)]
    devices = [
        Clients(http=http, urls={"acquire": urls[n % 3]}, project=project).of(tenant, hardware_id=f"d{n % 2}")
        for n in range(120)
    ]

    answers = await asyncio.gather(*(device.acquire() for device in devices))

    assert {code_of(answer) for answer in answers} == {"SEAT_LIMIT_REACHED"}
    assert _attempts(_denials(tenant)) == 120
    for process in others:
        process.stop()


# What is not


@pytest.mark.parametrize(
    ("document", "edit"),
    [
        pytest.param("organization", {"is_active": False}, id="organization inactive"),
        pytest.param("user", {"is_active": False}, id="user inactive"),
        pytest.param("user", {"role": "guest"}, id="guest"),
        pytest.param("license", {"is_active": False}, id="license inactive"),
        pytest.param("license", {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, id="license expired"),
        pytest.param("license", {"lease_seconds": 0}, id="license misconfigured"),
        pytest.param("license", {"license_key": "another"}, id="no such key"),
    ],
)
async def test_a_refusal_that_more_seats_would_not_have_changed_is_no_denial(
    clients: Clients, console: firestore.Client, document: str, edit: dict[str, object]
) -> None:
    tenant = Tenant.create(console, seats=0)
    {"organization": tenant.organization, "user": tenant.user("m0"), "license": tenant.license()}[document].update(edit)

    response = await clients.of(tenant, "m0").acquire()

    assert response.status_code in (403, 404)
    assert tenant.events() == []


async def test_who_gets_a_seat_or_has_one_is_not_denied(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    client, other = clients.of(tenant, "m0"), clients.of(tenant, "m1")

    session_id = await client.acquired()
    await client.acquired()
    await client.heartbeat(session_id)
    tenant.let_lapse(session_id)
    await other.acquired()

    assert tenant.events("session.denied") == []


async def test_of_a_crowd_only_those_who_got_no_seat_are_denied(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=4, members=20)

    answers = await asyncio.gather(*(clients.of(tenant, f"m{n}").acquire() for n in range(20)))

    refused = {f"m{n}" for n, answer in enumerate(answers) if answer.status_code == 409}
    denials = tenant.events("session.denied")
    assert len(refused) == len(denials) == 16
    assert {denial["user_id"] for denial in denials} == refused
    assert {denial["details"]["seats"]["in_use"] for denial in denials} == {4}


EDITS = [
    pytest.param({"details": "see the ticket"}, id="details as text"),
    pytest.param({"details": firestore.DELETE_FIELD}, id="no details"),
    pytest.param({"details.attempts": -5}, id="negative attempts"),
    pytest.param({"details.attempts": "many"}, id="attempts as text"),
    pytest.param({"at": "yesterday"}, id="time as text"),
    pytest.param({"type": 5, "note": firestore.GeoPoint(1, 2)}, id="another type"),
    pytest.param(None, id="deleted"),
]


@pytest.mark.parametrize("edit", EDITS)
async def test_a_denial_edited_by_hand_stands_in_nobodys_way(
    clients: Clients, console: firestore.Client, edit: dict[str, Any] | None
) -> None:
    tenant = Tenant.create(console, seats=1)
    holder, waiting = clients.of(tenant, "m0"), clients.of(tenant, "m1")
    session_id = await holder.acquired()
    await _denied(waiting)
    (denial,) = tenant.event_documents("session.denied")
    if edit is None:
        denial.reference.delete()
    else:
        denial.reference.update(edit)

    await _denied(waiting, times=2)
    await holder.release(session_id)
    granted = await waiting.acquire()

    assert granted.status_code == 201


# What the subscriber learns


async def test_the_subscriber_learns_of_a_denial_once_when_its_minute_is_over(
    http: httpx.AsyncClient,
    clients: Clients,
    console: firestore.Client,
    servers: Mapping[str, Process],
    subscriber: Subscriber,
) -> None:
    tenant = Tenant.create(console, seats=0)
    await _denied(clients.of(tenant), times=3)
    denials = [document.reference for document in tenant.event_documents("session.denied")]
    for denial in denials:
        await CloudEvent.created(denial).post(http, servers["relay_audit"].url)
        tenant.age(denial)

    for _ in range(2):
        assert (await http.post(servers["expire_sessions"].url)).status_code == 200

    subscriber.wait_for({denial.id for denial in denials})
    told = [message.event for message in subscriber.of(tenant)]
    assert sorted(event["event_id"] for event in told) == sorted(denial.id for denial in denials)
    assert sum(event["details"]["attempts"] for event in told) == 3
    assert None not in [denial.get().get("published_at") for denial in denials]


async def test_a_denial_whose_minute_is_not_over_is_not_published(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, servers: Mapping[str, Process]
) -> None:
    tenant = Tenant.create(console, seats=0)
    await _denied(clients.of(tenant))

    await http.post(servers["expire_sessions"].url)

    assert {denial["published_at"] for denial in _denials(tenant)} == {None}
