"""Retention: what may be purged says when, and nothing depends on whether it was."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from tests.support.client import Clients, code_of
from tests.support.schedule import call_until_done
from tests.support.servers import StartFunction
from tests.support.tenant import Tenant

SESSIONS_FOR, AUDIT_EVENTS_FOR = timedelta(days=30), timedelta(days=400)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

End = Callable[[Clients, Tenant, str], Awaitable[object]]


async def _released(clients: Clients, tenant: Tenant, session_id: str) -> None:
    await clients.of(tenant, "m0").release(session_id)


async def _taken_back(clients: Clients, tenant: Tenant, session_id: str) -> None:
    await clients.of(tenant, "olivia").release(session_id)


async def _revoked(clients: Clients, tenant: Tenant, session_id: str) -> None:
    tenant.user("m0").update({"is_active": False})
    await clients.of(tenant, "m0").heartbeat(session_id)


async def _given_away(clients: Clients, tenant: Tenant, session_id: str) -> None:
    tenant.let_lapse(session_id)
    await clients.of(tenant, "m1").acquired_soon()


async def _expired(clients: Clients, tenant: Tenant, session_id: str) -> None:
    tenant.let_lapse(session_id)
    await asyncio.to_thread(call_until_done, clients.urls["expire_sessions"])


async def _reconciled(clients: Clients, tenant: Tenant, session_id: str) -> None:
    tenant.license().update({"is_active": False})
    await asyncio.to_thread(call_until_done, clients.urls["reconcile"])
    assert tenant.session(session_id).get().get("end_reason") == "license_deactivated"


@pytest.mark.parametrize("end", [_released, _taken_back, _revoked, _given_away, _expired, _reconciled])
async def test_whoever_ends_a_session_it_and_its_events_say_when_they_may_be_purged(
    clients: Clients, console: firestore.Client, end: End
) -> None:
    tenant = Tenant.create(console, seats=1)
    session_id = await clients.of(tenant, "m0").acquired()
    await clients.of(tenant, "m1").acquire()

    await end(clients, tenant, session_id)

    session = tenant.session(session_id).get().to_dict() or {}
    assert session["purge_at"] == session["ended_at"] + SESSIONS_FOR
    events = tenant.events()
    assert {"session.acquired", "session.denied"} < {event["type"] for event in events}
    assert all(event["purge_at"] == event["at"] + AUDIT_EVENTS_FOR for event in events)


@pytest.mark.long
async def test_how_long_they_are_kept_is_a_setting(
    http: httpx.AsyncClient, start_server: StartFunction, console: firestore.Client, project: str
) -> None:
    tenant = Tenant.create(console, seats=1)
    kept = {"SEATLEASE_KEEP_SESSIONS_DAYS": "2", "SEATLEASE_KEEP_AUDIT_EVENTS_DAYS": "9"}
    process = start_server("acquire", **kept)
    process.wait_until_ready()
    clients = Clients(http=http, urls={"acquire": process.url}, project=project)
    session_id = await clients.of(tenant, "m0").acquired()
    await clients.of(tenant, "m1").acquire()
    tenant.let_lapse(session_id)

    await clients.of(tenant, "m1").acquired_soon()

    session = tenant.session(session_id).get().to_dict() or {}
    assert session["purge_at"] == session["ended_at"] + timedelta(days=2)
    events = tenant.events()
    assert {event["type"] for event in events} == {"session.acquired", "session.denied", "session.expired"}
    assert all(event["purge_at"] == event["at"] + timedelta(days=9) for event in events)
    process.stop()


async def test_an_open_session_is_never_purged_live_or_lapsed(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    seen = [session["purge_at"] for session in tenant.sessions()]

    await client.heartbeat(session_id)
    await client.acquired()
    tenant.let_lapse(session_id)
    await clients.of(tenant, "m1").acquired()

    seen += [session["purge_at"] for session in tenant.open_sessions()]
    assert seen == [None] * 3


@pytest.mark.parametrize("end", [_released, _expired])
async def test_a_device_that_comes_back_makes_its_session_one_that_is_kept(
    clients: Clients, console: firestore.Client, end: End
) -> None:
    tenant = Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()
    await end(clients, tenant, session_id)

    again = await clients.of(tenant, "m0").acquired()

    assert again == session_id
    session = tenant.session(session_id).get().to_dict() or {}
    assert (session["purge_at"], session["ended_at"]) == (None, None)


async def test_what_should_have_been_purged_long_ago_changes_no_answer(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, servers: Mapping[str, Process]
) -> None:
    tenant = Tenant.create(console, seats=1)
    former = clients.of(tenant, "m0")
    session_id = await former.acquired()
    await former.release(session_id)
    old = {"started_at": LONG_AGO, "last_heartbeat_at": LONG_AGO, "lease_expires_at": LONG_AGO}
    tenant.session(session_id).update({**old, "ended_at": LONG_AGO, "purge_at": LONG_AGO + SESSIONS_FOR})
    for event in tenant.event_documents():
        event.reference.update(
            {
                "at": LONG_AGO,
                "published_at": LONG_AGO,
                "unpublished_shard": firestore.DELETE_FIELD,
                "purge_at": LONG_AGO + AUDIT_EVENTS_FOR,
            }
        )
    before = tenant.session(session_id).get().update_time

    granted = await clients.of(tenant, "m1").acquire()
    refused = await former.acquire()
    late = await former.heartbeat(session_id)
    again = await former.release(session_id)
    usage = await clients.of(tenant, "olivia").usage()
    expired = await http.post(servers["expire_sessions"].url)

    assert (granted.status_code, granted.json()["seats"]) == (201, {"in_use": 1, "max": 1})
    assert (refused.status_code, code_of(refused)) == (409, "SEAT_LIMIT_REACHED")
    assert (late.status_code, code_of(late)) == (410, "SESSION_RELEASED")
    assert again.status_code == 204
    (license_,) = usage.json()["licenses"]
    assert [session["user_id"] for session in license_["sessions"]] == ["m1"]
    assert expired.status_code == 200
    assert tenant.session(session_id).get().update_time == before
    assert [event["grant_number"] for event in tenant.events("session.acquired")] == [1, 2]
    assert tenant.counters()["total"] == 1
    await clients.of(tenant, "m1").release(granted.json()["session_id"])
    assert (await former.acquire()).status_code == 201
    assert tenant.session(session_id).get().get("purge_at") is None
