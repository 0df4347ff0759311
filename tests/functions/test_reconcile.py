"""Reconcile over HTTP: called by a schedule, it puts right what drifted."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from google.cloud import firestore

from infra.local.processes import Process, stop_together
from tests.support.client import Clients, assert_error
from tests.support.log_lines import lines_of
from tests.support.schedule import call_until_done
from tests.support.servers import StartFunction
from tests.support.tenant import Tenant

DONE = {"sessions_ended", "ends_reported", "counters_repaired", "organizations_failed"}
COUNTED = DONE | {"organizations", "documents_looked_at", "documents_touched"}
NOTHING_DONE = dict.fromkeys(DONE, 0)


@pytest.fixture(scope="module")
def own_server(start_server: StartFunction) -> Iterator[Process]:
    """The function under test, with a log that can be read."""
    process = start_server("reconcile", SEATLEASE_LOG_LEVEL="INFO")
    process.wait_until_ready()
    yield process
    stop_together([process])


@pytest.fixture
def run(own_server: Process) -> Process:
    """The function under test; nothing of earlier tests is left for it to do."""
    call_until_done(own_server.url)
    return own_server


def _done(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    return {name: number for name, number in response.json().items() if name in DONE}


# What it is told and what it tells


async def test_the_answer_is_numbers_and_nothing_of_any_organization(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, run: Process
) -> None:
    tenant = Tenant.create(console)
    session_id = await clients.of(tenant).acquired()
    tenant.seats.update({"total": 9})

    response = await http.post(run.url)

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
async def test_another_method_than_post_is_405_and_changes_nothing(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, run: Process, method: str
) -> None:
    tenant = Tenant.create(console)
    await clients.of(tenant).acquired()
    tenant.seats.update({"total": 9})

    response = await http.request(method, run.url)

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == "POST"
    assert tenant.counters()["total"] == 9


CALLS: list[Any] = [
    pytest.param({"headers": {"User-Agent": "Google-Cloud-Scheduler", "X-CloudScheduler": "true"}}, id="the scheduler"),
    pytest.param({"headers": {"Authorization": "Bearer of-no-meaning"}}, id="a token"),
    pytest.param({"json": {"organization_id": "none", "dry_run": True}, "params": {"limit": "0"}}, id="a body"),
    pytest.param({"content": b"{" * 100_000, "headers": {"Content-Type": "application/json"}}, id="broken JSON"),
]


@pytest.mark.parametrize("call", CALLS)
async def test_nothing_in_the_call_changes_what_is_done(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, run: Process, call: dict[str, Any]
) -> None:
    tenant = Tenant.create(console)
    await clients.of(tenant).acquired()
    tenant.seats.update({"total": 9})

    response = await http.post(run.url, **call)

    assert _done(response) == {**NOTHING_DONE, "counters_repaired": 1}
    assert tenant.counters()["total"] == 1


async def test_a_run_logs_its_numbers(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, run: Process
) -> None:
    tenant = Tenant.create(console)
    await clients.of(tenant).acquired()
    tenant.user("m0").update({"is_active": False})

    response = await http.post(run.url)

    (line,) = lines_of(run.log, response.headers["X-Request-Id"])
    assert (line["severity"], line["message"]) == ("INFO", "all organizations were reconciled")
    assert line["sessions_ended"] == 1
    logged = DONE | {"organizations"}
    assert {name: line[name] for name in logged} == {name: response.json()[name] for name in logged}


# What it does


COUNTER_EDITS = [
    pytest.param({"total": 9}, id="total up"),
    pytest.param({"by_license.`license-1`": 0}, id="one license down"),
    pytest.param({"total": -3, "by_license": {"license-1": -3}}, id="negative"),
    pytest.param({"total": "two"}, id="not a number"),
    pytest.param({"checksum": firestore.DELETE_FIELD}, id="checksum removed"),
    pytest.param({"grants": 0}, id="grants set back"),
    pytest.param(None, id="deleted"),
]


@pytest.mark.parametrize("edit", COUNTER_EDITS)
async def test_counters_edited_by_hand_are_taken_from_the_sessions_again(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, run: Process, edit: dict[str, Any] | None
) -> None:
    tenant = Tenant.create(console, seats=3)
    for user_id in ("m0", "m1"):
        await clients.of(tenant, user_id).acquired()
    before = tenant.counters()
    if edit is None:
        tenant.seats.delete()
    else:
        tenant.seats.update(edit)

    response = await http.post(run.url)

    assert _done(response) == {**NOTHING_DONE, "counters_repaired": 1}
    assert tenant.counters() | {"updated_at": None} == before | {"updated_at": None}
    (repair,) = tenant.events("usage.repaired")
    assert repair["details"]["after"] == [{"license_id": "license-1", "in_use": 2, "pools": []}]
    assert (await clients.of(tenant, "m2").acquire()).json()["seats"] == {"in_use": 3, "max": 3}


async def test_counters_of_an_organization_without_any_session_are_repaired_too(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, run: Process
) -> None:
    tenant = Tenant.create(console)
    tenant.session(await clients.of(tenant).acquired()).delete()

    response = await http.post(run.url)

    assert _done(response) == {**NOTHING_DONE, "counters_repaired": 1}
    assert tenant.counters()["total"] == 0


async def test_of_many_runs_at_once_one_repairs(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, run: Process
) -> None:
    tenant = Tenant.create(console)
    await clients.of(tenant).acquired()
    tenant.seats.update({"total": 9})

    answers = await asyncio.gather(*(http.post(run.url) for _ in range(4)))

    assert sum(_done(answer)["counters_repaired"] for answer in answers) == 1
    assert {_done(answer)["organizations_failed"] for answer in answers} == {0}
    assert len(tenant.events("usage.repaired")) == 1
    assert tenant.counters()["total"] == 1


RIGHTS = [
    pytest.param("user", {"is_active": False}, "user_deactivated", id="user deactivated"),
    pytest.param("user", {"role": "guest"}, "user_deactivated", id="made a guest"),
    pytest.param("user", None, "user_deactivated", id="user removed"),
    pytest.param("license", {"is_active": False}, "license_deactivated", id="license deactivated"),
    pytest.param("license", {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "license_expired", id="license expired"),
    pytest.param("license", None, "document_removed", id="license removed"),
    pytest.param("organization", {"is_active": False}, "organization_deactivated", id="organization deactivated"),
]


@pytest.mark.parametrize(("document", "edit", "reason"), RIGHTS)
async def test_a_session_whose_right_is_gone_ends_although_its_client_says_nothing(
    http: httpx.AsyncClient,
    clients: Clients,
    console: firestore.Client,
    run: Process,
    document: str,
    edit: dict[str, Any] | None,
    reason: str,
) -> None:
    tenant = Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()
    reference = {"organization": tenant.organization, "user": tenant.user("m0"), "license": tenant.license()}[document]
    if edit is None:
        reference.delete()
    else:
        reference.update(edit)

    response = await http.post(run.url)

    assert _done(response) == {**NOTHING_DONE, "sessions_ended": 1}
    assert (tenant.session(session_id).get().to_dict() or {})["end_reason"] == reason
    (event,) = tenant.events("session.revoked")
    assert (event["actor"], event["session_id"], event["details"]["reason"]) == ("system", session_id, reason)
    assert tenant.counters()["total"] == 0


async def test_what_is_right_is_left_as_it_is(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, run: Process
) -> None:
    tenant = Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()
    tenant.user("m0").update({"is_active": "no"})
    before = [reference.get().update_time for reference in (tenant.session(session_id), tenant.seats)]

    response = await http.post(run.url)

    assert _done(response) == NOTHING_DONE
    assert response.json()["organizations"] >= 1
    assert [reference.get().update_time for reference in (tenant.session(session_id), tenant.seats)] == before
    assert len(tenant.events()) == 1
