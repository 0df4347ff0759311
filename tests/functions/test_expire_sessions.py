"""Expire over HTTP: called by a schedule, it ends what lapsed, and publishes denials and what was left behind."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from google.cloud import firestore

from infra.local.processes import Process, free_port, stop_together
from tests.support.client import Clients, assert_error, code_of
from tests.support.log_lines import lines_of
from tests.support.schedule import call_until_done
from tests.support.servers import StartFunction
from tests.support.subscriber import Subscriber
from tests.support.tenant import Tenant

EXPIRED = {"sessions_ended", "sessions_left", "organizations", "organizations_failed"}
COUNTED = EXPIRED | {"events_published", "events_left"}


@pytest.fixture(scope="module")
def another_process(start_server: StartFunction) -> Iterator[Process]:
    """A second process of the function under test."""
    process = start_server("expire_sessions", SEATLEASE_LOG_LEVEL="INFO")
    process.wait_until_ready()
    yield process
    stop_together([process])


@pytest.fixture
def runs(servers: Mapping[str, Process], another_process: Process) -> list[Process]:
    """Two processes of the function under test; nothing of earlier tests is left for them to do."""
    call_until_done(another_process.url)
    return [another_process, servers["expire_sessions"]]


@pytest.fixture
def url(runs: list[Process]) -> str:
    """Where the function under test answers."""
    return runs[0].url


async def _lapsed(clients: Clients, tenant: Tenant, *user_ids: str) -> list[str]:
    session_ids = [await clients.of(tenant, user_id).acquired() for user_id in user_ids]
    for session_id in session_ids:
        tenant.let_lapse(session_id)
    return session_ids


async def test_lapsed_sessions_end_and_live_ones_go_on(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, url: str
) -> None:
    tenant = Tenant.create(console)
    lapsed = await _lapsed(clients, tenant, "m0", "m1")
    live = await clients.of(tenant, "m2").acquired()

    response = await http.post(url)

    assert response.status_code == 200
    assert {name: response.json()[name] for name in EXPIRED} == {
        "sessions_ended": 2,
        "sessions_left": 0,
        "organizations": 1,
        "organizations_failed": 0,
    }
    for session_id in lapsed:
        session = tenant.session(session_id).get().to_dict() or {}
        assert session["end_reason"] == "expired"
        assert session["ended_at"] >= session["lease_expires_at"]
    assert [session["user_id"] for session in tenant.open_sessions()] == ["m2"]
    ends = tenant.events("session.expired")
    assert {end["session_id"] for end in ends} == set(lapsed)
    assert {end["actor"] for end in ends} == {"system"}
    counters = tenant.counters()
    assert (counters["total"], counters["by_license"]) == (1, {"license-1": 1})
    assert (await clients.of(tenant, "m2").heartbeat(live)).status_code == 200
    late = await clients.of(tenant, "m0").heartbeat(lapsed[0])
    assert (late.status_code, code_of(late)) == (410, "SESSION_EXPIRED")


async def test_the_answer_is_numbers_and_nothing_of_any_organization(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, url: str
) -> None:
    tenant = Tenant.create(console)
    (session_id,) = await _lapsed(clients, tenant, "m0")

    response = await http.post(url)

    body = response.json()
    assert set(body) == COUNTED | {"is_complete", "server_time"}
    assert all(type(body[name]) is int for name in COUNTED)
    assert body["is_complete"] is True
    assert abs((datetime.fromisoformat(body["server_time"]) - datetime.now(UTC)).total_seconds()) < 60
    assert (response.headers["Content-Type"], response.headers["Cache-Control"]) == ("application/json", "no-store")
    sent = response.text + str(response.headers)
    for told in (tenant.organization_id, tenant.license_key, "license-1", session_id, "m0", "@", "laptop"):
        assert told not in sent


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_than_post_is_405_and_ends_nothing(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, url: str, method: str
) -> None:
    tenant = Tenant.create(console)
    await _lapsed(clients, tenant, "m0")

    response = await http.request(method, url)

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == "POST"
    assert len(tenant.open_sessions()) == 1


CALLS: list[Any] = [
    pytest.param({"headers": {"User-Agent": "Google-Cloud-Scheduler", "X-CloudScheduler": "true"}}, id="the scheduler"),
    pytest.param({"headers": {"Authorization": "Bearer of-no-meaning"}}, id="a token"),
    pytest.param({"json": {"organization_id": "none", "dry_run": True, "now": "1999-01-01T00:00:00Z"}}, id="a body"),
    pytest.param({"content": b"{", "headers": {"Content-Type": "application/json"}}, id="broken JSON"),
    pytest.param({"content": b"\xff" * 100_000}, id="100 kB"),
    pytest.param({"params": {"organization": "none", "limit": "0"}}, id="a query"),
]


@pytest.mark.parametrize("call", CALLS)
async def test_nothing_in_the_call_changes_what_is_done(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, url: str, call: dict[str, Any]
) -> None:
    tenant = Tenant.create(console)
    await _lapsed(clients, tenant, "m0")

    response = await http.post(url, **call)

    assert response.status_code == 200
    assert tenant.open_sessions() == []


async def test_two_runs_at_once_end_every_session_once(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, runs: list[Process]
) -> None:
    tenant = Tenant.create(console, seats=30, members=30)
    session_ids = await _lapsed(clients, tenant, *(f"m{n}" for n in range(30)))

    answers = await asyncio.gather(*(http.post(runs[n % 2].url) for n in range(4)))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert {answer.json()["organizations_failed"] for answer in answers} == {0}
    assert sum(answer.json()["sessions_ended"] for answer in answers) == 30
    assert tenant.open_sessions() == []
    assert sorted(event["session_id"] for event in tenant.events("session.expired")) == sorted(session_ids)
    assert tenant.counters()["total"] == 0


async def test_a_run_logs_its_numbers_and_one_with_nothing_to_do_is_quiet(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, runs: list[Process]
) -> None:
    tenant = Tenant.create(console)
    await _lapsed(clients, tenant, "m0", "m1")

    busy, idle = await http.post(runs[0].url), await http.post(runs[0].url)

    (line,) = _lines(runs[0], busy, logger="shared.seats.expire")
    assert (line["severity"], line["message"]) == ("INFO", "lapsed sessions were ended")
    assert {name: line[name] for name in EXPIRED} == {name: busy.json()[name] for name in EXPIRED}
    assert (busy.json()["sessions_ended"], idle.json()["sessions_ended"]) == (2, 0)
    assert _lines(runs[0], idle, logger="shared.seats.expire") == []


def _lines(process: Process, response: httpx.Response, *, logger: str) -> list[dict[str, Any]]:
    """What one part of a run logged. The other part may work for earlier tests meanwhile."""
    return [line for line in lines_of(process.log, response.headers["X-Request-Id"]) if line["logger"] == logger]


async def test_a_session_that_cannot_be_read_is_left_counted_and_named_in_the_log(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, runs: list[Process]
) -> None:
    tenant = Tenant.create(console)
    broken, _ = await _lapsed(clients, tenant, "m0", "m1")
    tenant.session(broken).update({"user_id": 5})

    response = await http.post(runs[0].url)

    assert response.status_code == 200
    assert (response.json()["sessions_ended"], response.json()["sessions_left"]) == (1, 1)
    assert broken not in response.text
    error, _ = _lines(runs[0], response, logger="shared.seats.expire")
    assert (error["severity"], error["document"]) == ("ERROR", tenant.session(broken).path)
    tenant.session(broken).delete()


async def test_a_run_that_publishes_logs_its_numbers(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, runs: list[Process]
) -> None:
    tenant = Tenant.create(console)
    await clients.of(tenant).acquired()
    (event,) = tenant.event_documents()
    tenant.age(event.reference)

    response = await http.post(runs[0].url)

    (line,) = _lines(runs[0], response, logger="shared.audit.relay")
    assert (line["severity"], line["message"]) == ("INFO", "a run of the relay is over")
    names = ("events_published", "events_left")
    assert [line[name] for name in names] == [response.json()[name] for name in names]


async def test_what_was_left_behind_is_published_and_what_is_new_is_left_to_the_relay(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, runs: list[Process], subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console)
    for user_id in ("m0", "m1", "m2"):
        await clients.of(tenant, user_id).acquired()
    *left_behind, new = (document.reference for document in tenant.event_documents())
    for event in left_behind:
        tenant.age(event)

    response = await http.post(runs[0].url)

    assert response.json()["events_published"] >= 2
    assert response.json()["events_left"] == 0
    subscriber.wait_for({event.id for event in left_behind})
    assert {message.event["event_id"] for message in subscriber.of(tenant)} == {event.id for event in left_behind}
    assert all(event.get().get("published_at") is not None for event in left_behind)
    assert new.get().get("published_at") is None


async def test_an_event_that_cannot_be_read_is_left_counted_and_keeps_none_of_the_others(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, runs: list[Process], subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console)
    for user_id in ("m0", "m1"):
        await clients.of(tenant, user_id).acquired()
    broken, event = (document.reference for document in tenant.event_documents())
    broken.update({"details": "see the ticket"})
    for each in (broken, event):
        tenant.age(each)

    response = await http.post(runs[0].url)

    assert response.status_code == 200
    assert response.json()["events_left"] == 1
    subscriber.wait_for({event.id})
    assert broken.get().get("published_at") is None
    broken.delete()


@pytest.mark.long  # a scheduled run asks again for 12 seconds
async def test_a_store_that_does_not_answer_is_503(http: httpx.AsyncClient, start_server: StartFunction) -> None:
    server = start_server(
        "expire_sessions", FIRESTORE_EMULATOR_HOST=f"127.0.0.1:{free_port()}", SEATLEASE_STORE_TIMEOUT_SECONDS="1"
    )
    server.wait_until_ready()

    response = await http.post(server.url)

    assert_error(response, 503, "STORE_UNAVAILABLE")
    server.stop()


@pytest.fixture(scope="module")
def without_topic(start_server: StartFunction) -> Iterator[list[Process]]:
    """The function where no Pub/Sub answers, and where there is no topic."""
    away = {"PUBSUB_EMULATOR_HOST": f"127.0.0.1:{free_port()}", "SEATLEASE_PUBLISH_TIMEOUT_SECONDS": "1"}
    processes = [
        start_server("expire_sessions", **away),
        start_server("expire_sessions", SEATLEASE_AUDIT_TOPIC="no-such-topic"),
    ]
    for process in processes:
        process.wait_until_ready()
    yield processes
    stop_together(processes)


@pytest.mark.parametrize("server", [pytest.param(0, id="no Pub/Sub"), pytest.param(1, id="no topic")])
async def test_without_a_topic_that_answers_it_is_503_with_the_numbers_and_the_sessions_end(
    http: httpx.AsyncClient,
    clients: Clients,
    console: firestore.Client,
    runs: list[Process],
    without_topic: list[Process],
    server: int,
) -> None:
    tenant = Tenant.create(console)
    (session_id,) = await _lapsed(clients, tenant, "m0")
    (first,) = (document.reference for document in tenant.event_documents())
    tenant.age(first)

    response = await http.post(without_topic[server].url)

    assert_error(response, 503, "TOPIC_UNAVAILABLE")
    details = response.json()["error"]["details"]
    assert set(details) == COUNTED | {"is_complete"}
    assert (details["events_published"], details["is_complete"]) == (0, False)
    assert details["events_left"] >= 1
    assert details["sessions_ended"] == 1
    for told in (tenant.organization_id, tenant.license_key, session_id, "m0", "@"):
        assert told not in response.text
    assert tenant.open_sessions() == []
    assert first.get().get("published_at") is None
    assert (await http.post(runs[0].url)).json()["events_published"] >= 1
    assert first.get().get("published_at") is not None
