"""Seats under concurrency: exactly as many as there are, however many ask, in however many processes."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from tests.support.client import Client, Clients, code_of
from tests.support.tenant import Tenant

CLIENTS, SEATS = 200, 50
ROUNDS = [pytest.param(5, id="5"), pytest.param(15, id="15 more", marks=pytest.mark.long)]


async def _all_acquire(crowd: list[Client], addresses: list[str]) -> list[httpx.Response]:
    asked = (
        client.http.post(
            addresses[number % len(addresses)],
            json={"license_key": client.license_key, "hardware_id": client.hardware_id},
            headers={"Authorization": f"Bearer {client.token}"},
        )
        for number, client in enumerate(crowd)
    )
    return list(await asyncio.gather(*asked))


def _crowd(clients: Clients, tenant: Tenant) -> list[Client]:
    return [clients.of(tenant, f"m{n % 20}", hardware_id=f"device-{n}") for n in range(CLIENTS)]


def _assert_exact(responses: list[httpx.Response], tenant: Tenant) -> None:
    granted = [response for response in responses if response.status_code == 201]
    refused = [response for response in responses if response.status_code == 409]
    assert len(granted) == SEATS, [response.text for response in responses if response.status_code not in (201, 409)]
    assert len(refused) == CLIENTS - SEATS
    held = tenant.open_sessions()
    assert len(held) == SEATS
    earliest = min(session["lease_expires_at"] for session in held)
    for response in refused:
        error = response.json()["error"]
        assert error["code"] == "SEAT_LIMIT_REACHED"
        assert error["details"]["in_use"] == error["details"]["max"] == SEATS
        told = datetime.fromisoformat(error["details"]["earliest_expiry_at"])
        assert told >= earliest, "a time before any lease ends is no time to come back"
        assert told in {session["lease_expires_at"] for session in held}
        assert response.headers["Retry-After"] == str(error["details"]["retry_after_seconds"])
    counters = tenant.counters()
    assert (counters["total"], counters["by_license"]) == (SEATS, {"license-1": SEATS})
    events = tenant.events("session.acquired")
    assert sorted(event["grant_number"] for event in events) == list(range(1, SEATS + 1))


@pytest.mark.parametrize("number_of_rounds", ROUNDS)
@pytest.mark.timeout(300)
async def test_of_200_clients_exactly_50_get_the_50_seats_in_every_round(
    clients: Clients, console: firestore.Client, servers: Mapping[str, Process], number_of_rounds: int
) -> None:
    for _ in range(number_of_rounds):
        tenant = Tenant.create(console, seats=SEATS, members=20)

        responses = await _all_acquire(_crowd(clients, tenant), [servers["acquire"].url])

        _assert_exact(responses, tenant)


@pytest.mark.parametrize("number_of_rounds", ROUNDS)
@pytest.mark.timeout(300)
async def test_of_200_clients_of_four_processes_exactly_50_get_the_50_seats_in_every_round(
    clients: Clients, console: firestore.Client, four_acquire_processes: list[str], number_of_rounds: int
) -> None:
    for _ in range(number_of_rounds):
        tenant = Tenant.create(console, seats=SEATS, members=20)

        responses = await _all_acquire(_crowd(clients, tenant), four_acquire_processes)

        _assert_exact(responses, tenant)


TEN_ROUNDS = [pytest.param(1, id="1"), pytest.param(10, id="10", marks=pytest.mark.long)]
GROUPS = ("design", "render", "sales")


@pytest.mark.parametrize("number_of_rounds", TEN_ROUNDS)
@pytest.mark.timeout(300)
async def test_200_clients_of_three_groups_and_four_processes_fill_two_reservations_and_the_common_pool_exactly(
    clients: Clients, console: firestore.Client, four_acquire_processes: list[str], number_of_rounds: int
) -> None:
    for _ in range(number_of_rounds):
        tenant = Tenant.create(console, seats=SEATS, members=30, reservations={"design": 15, "render": 10})
        batch = console.batch()
        for number in range(30):
            batch.update(tenant.user(f"m{number}"), {"groups": [GROUPS[number % 3]]})
        batch.commit()
        crowd = [clients.of(tenant, f"m{n % 30}", hardware_id=f"device-{n}") for n in range(CLIENTS)]

        responses = await _all_acquire(crowd, four_acquire_processes)

        assert Counter(response.status_code for response in responses) == {201: 50, 409: 150}
        held = tenant.open_sessions()
        assert Counter(session["pool"] for session in held) == {"design": 15, "render": 10, None: 25}
        users = {group: {f"m{number}" for number in range(30) if GROUPS[number % 3] == group} for group in GROUPS}
        assert all(session["user_id"] in users[session["pool"]] for session in held if session["pool"])
        assert not any(session["is_overdraft"] for session in held)
        counters = tenant.counters()
        assert (counters["total"], counters["by_pool"]) == (50, {"license-1": {"design": 15, "render": 10}})
        told = Counter(event["details"].get("pool") for event in tenant.events("session.acquired"))
        assert told == {"design": 15, "render": 10, None: 25}
        for number, response in enumerate(responses):
            if response.status_code == 409:
                details = response.json()["error"]["details"]
                assert code_of(response) == "SEAT_LIMIT_REACHED"
                assert details["in_use"] + details["reserved_for_others"] == details["max"] == SEATS, GROUPS[number % 3]


@pytest.mark.parametrize("number_of_rounds", TEN_ROUNDS)
@pytest.mark.timeout(300)
async def test_of_20_devices_of_one_user_and_four_processes_exactly_3_get_a_seat_where_3_may(
    clients: Clients, console: firestore.Client, four_acquire_processes: list[str], number_of_rounds: int
) -> None:
    for _ in range(number_of_rounds):
        tenant = Tenant.create(console, seats=SEATS, max_devices_per_user=3)
        devices = [clients.of(tenant, hardware_id=f"device-{n}") for n in range(20)]

        responses = await _all_acquire(devices, four_acquire_processes)

        assert Counter(response.status_code for response in responses) == {201: 3, 409: 17}
        held = {response.json()["session_id"] for response in responses if response.status_code == 201}
        assert (len(tenant.open_sessions()), tenant.counters()["total"]) == (3, 3)
        for response in responses:
            if response.status_code == 409:
                details = response.json()["error"]["details"]
                assert code_of(response) == "USER_DEVICE_LIMIT_REACHED"
                assert {session["session_id"] for session in details["sessions"]} == held
                assert details["max"] == 3


@pytest.mark.parametrize("number_of_rounds", TEN_ROUNDS)
@pytest.mark.timeout(300)
async def test_of_200_clients_of_four_processes_exactly_55_get_a_seat_of_50_with_5_overdraft_which_are_marked(
    clients: Clients, console: firestore.Client, four_acquire_processes: list[str], number_of_rounds: int
) -> None:
    for _ in range(number_of_rounds):
        tenant = Tenant.create(console, seats=SEATS, members=20, overdraft_seats=5)

        responses = await _all_acquire(_crowd(clients, tenant), four_acquire_processes)

        assert Counter(response.status_code for response in responses) == {201: 55, 409: 145}
        answers = [response.json() for response in responses if response.status_code == 201]
        marked = {answer["session_id"] for answer in answers if answer["is_overdraft"]}
        assert len(marked) == 5
        held = {each.id: each.get("is_overdraft") for each in tenant.organization.collection("sessions").stream()}
        assert {session_id for session_id, is_overdraft in held.items() if is_overdraft} == marked
        assert (len(held), tenant.counters()["total"]) == (55, 55)
        told = Counter(event["details"].get("is_overdraft") for event in tenant.events("session.acquired"))
        assert told == {None: 50, True: 5}
        refused = [response.json()["error"]["details"] for response in responses if response.status_code == 409]
        assert {(details["in_use"], details["max"]) for details in refused} == {(55, 55)}


async def test_50_concurrent_acquires_of_one_device_share_one_session_and_one_seat(
    clients: Clients, console: firestore.Client, four_acquire_processes: list[str]
) -> None:
    tenant = Tenant.create(console, seats=3)
    client = clients.of(tenant)

    responses = await _all_acquire([client] * 50, four_acquire_processes)

    assert {response.status_code for response in responses} <= {200, 201}
    assert len({response.json()["session_id"] for response in responses}) == 1
    assert len(tenant.sessions()) == 1
    assert tenant.counters()["total"] == 1
    assert len(tenant.events("session.acquired")) == 1


async def test_a_new_seat_is_201_and_the_same_device_again_is_200_with_renewed(
    clients: Clients, console: firestore.Client
) -> None:
    client = clients.of(Tenant.create(console, seats=3))

    first, again = await client.acquire(), await client.acquire()

    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["renewed"], again.json()["renewed"]) == (False, True)
    assert first.json()["session_id"] == again.json()["session_id"]
    assert set(first.json()) == {
        "session_id",
        "license_id",
        "lease_expires_at",
        "grace_ends_at",
        "lease_token",
        "heartbeat_interval_seconds",
        "seats",
        "is_overdraft",
        "borrowed_until",
        "features",
        "license_expires_at",
        "renewed",
        "server_time",
        "waited_seconds",
    }
    terms = ("is_overdraft", "features", "license_expires_at", "borrowed_until", "waited_seconds")
    assert [first.json()[name] for name in terms] == [False, {}, None, None, None]
    assert first.json()["seats"] == again.json()["seats"] == {"in_use": 1, "max": 3}
    lease = datetime.fromisoformat(first.json()["lease_expires_at"]) - datetime.fromisoformat(
        first.json()["server_time"]
    )
    assert lease == timedelta(minutes=6)
    assert 108 <= first.json()["heartbeat_interval_seconds"] <= 120


async def test_the_session_document_holds_what_the_admin_wants_to_know(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)

    session_id = (
        await client.post(
            "acquire",
            json={"license_key": client.license_key, "hardware_id": "workstation-7"},
            headers={"User-Agent": "cad/9.1", "X-Forwarded-For": "6.6.6.6, 203.0.113.9"},
        )
    ).json()["session_id"]

    (session,) = tenant.sessions()
    assert session["user_id"] == "m0"
    assert session["user_email"] == "m0@example.com"
    assert session["hardware_id"] == "workstation-7"
    assert session["user_agent"] == "cad/9.1"
    assert session["ip_address"] == "203.0.113.9", "the entry that the trusted proxy appended, not what the client sent"
    assert session["started_at"] == session["last_heartbeat_at"]
    assert (session["ended_at"], session["end_reason"], session["purge_at"]) == (None, None, None)
    assert 0 <= session["expiry_shard"] < 8
    (event,) = tenant.events()
    assert (event["type"], event["actor"], event["session_id"]) == ("session.acquired", "m0", session_id)
    assert event["details"]["seats"] == {"in_use": 1, "max": 3}
    assert event["published_at"] is None
    assert event["purge_at"] > datetime.now(UTC)


async def test_a_lapsed_seat_goes_to_the_next_client_with_no_scheduled_function_running(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1)
    crashed, waiting = clients.of(tenant, "m0"), clients.of(tenant, "m1")
    lapsed = await crashed.acquired()
    assert (await waiting.acquire()).status_code == 409
    tenant.let_lapse(lapsed)

    await waiting.acquired_soon()

    before = tenant.session(lapsed).get().to_dict()
    assert before is not None
    assert before["end_reason"] == "expired"
    first, *together = [event["type"] for event in tenant.events() if event["type"] != "session.denied"]
    assert first == "session.acquired"
    assert sorted(together) == ["session.acquired", "session.expired"], "one commit, one time: in no order"
    late = await crashed.heartbeat(lapsed)
    assert (late.status_code, code_of(late)) == (410, "SESSION_EXPIRED")
    assert tenant.session(lapsed).get().to_dict() == before
    assert tenant.counters()["total"] == 1


async def test_a_device_whose_lease_lapsed_starts_a_new_tenure(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.let_lapse(session_id)

    again = await client.acquire()

    assert (again.status_code, again.json()["session_id"]) == (201, session_id)
    kinds = sorted(event["type"] for event in tenant.events())
    assert kinds == ["session.acquired", "session.acquired", "session.expired"]
    assert tenant.counters()["total"] == 1


async def test_a_released_device_may_come_back(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    client = clients.of(tenant)
    session_id = await client.acquired()
    await client.release(session_id)

    again = await client.acquire()

    assert (again.status_code, again.json()["session_id"]) == (201, session_id)
    (session,) = tenant.sessions()
    assert (session["ended_at"], session["end_reason"], session["purge_at"]) == (None, None, None)


async def test_a_license_may_have_a_lease_of_its_own(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, lease_seconds=30)

    body = (await clients.of(tenant).acquire()).json()

    lease = datetime.fromisoformat(body["lease_expires_at"]) - datetime.fromisoformat(body["server_time"])
    assert lease == timedelta(seconds=30)
    assert body["heartbeat_interval_seconds"] in (9, 10)


async def test_a_key_that_moves_to_another_license_is_found_there_at_once(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    assert (await client.acquire()).json()["license_id"] == "license-1"
    tenant.license().update({"license_key": "another"})
    tenant.add_license("license-2", tenant.license_key, seats=1)

    moved = await client.acquire()

    assert moved.json()["license_id"] == "license-2"


async def test_a_key_of_another_organization_is_not_found(clients: Clients, console: firestore.Client) -> None:
    mine, theirs = Tenant.create(console), Tenant.create(console)

    response = await clients.of(mine, license_key=theirs.license_key).acquire()

    assert (response.status_code, code_of(response)) == (404, "LICENSE_NOT_FOUND")
    assert theirs.sessions() == []


async def test_a_generated_key_gets_one_seat_however_it_is_typed(clients: Clients, console: firestore.Client) -> None:
    key = "7K3QF-9XW1M-QZP0T-H0RGA-5VNBE"
    tenant = Tenant.create(console, seats=1)
    tenant.license().update({"license_key": key})
    typed = [key, key.lower(), f" {key} ", key.replace("-", ""), key.replace("0", "O").replace("1", "l")]

    answers = [await clients.of(tenant, license_key=each).acquire() for each in typed]
    seen = await clients.of(tenant, "olivia").usage(license_key=key.lower())

    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200]
    (license_,) = seen.json()["licenses"]
    assert license_["in_use"] == 1


async def test_a_key_that_an_admin_wrote_in_another_form_is_found_before_any_review(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    tenant.license().update({"license_key": " Own-Key "})

    as_written, as_sent = [await clients.of(tenant, license_key=key).acquire() for key in (" Own-Key ", "own-key")]

    assert (as_written.status_code, as_sent.status_code) == (201, 404)
