"""Heartbeats: kept, refused without an oracle, and the moment at which a right is gone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from tests.support.client import Clients, code_of
from tests.support.tenant import Tenant

UNKNOWN = "a" * 26


async def test_a_heartbeat_starts_the_lease_anew(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.session(session_id).update({"last_heartbeat_at": datetime.now(UTC) - timedelta(minutes=2)})

    response = await client.heartbeat(session_id)

    assert response.status_code == 200
    body = response.json()
    assert set(body) == {
        "session_id",
        "lease_expires_at",
        "grace_ends_at",
        "lease_token",
        "heartbeat_interval_seconds",
        "borrowed_until",
        "features",
        "license_expires_at",
        "server_time",
    }
    now = datetime.fromisoformat(body["server_time"])
    assert datetime.fromisoformat(body["lease_expires_at"]) - now == timedelta(minutes=6)
    (session,) = tenant.sessions()
    assert session["last_heartbeat_at"] == now
    assert session["lease_expires_at"] == now + timedelta(minutes=6)


async def test_a_heartbeat_right_after_another_writes_nothing(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    before = tenant.session(session_id).get()

    response = await client.heartbeat(session_id)

    assert response.status_code == 200
    assert tenant.session(session_id).get().update_time == before.update_time
    assert datetime.fromisoformat(response.json()["lease_expires_at"]) == before.get("lease_expires_at")


async def test_heartbeats_leave_the_counters_alone(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.session(session_id).update({"last_heartbeat_at": datetime.now(UTC) - timedelta(minutes=2)})
    before = tenant.seats.get().update_time

    assert (await client.heartbeat(session_id)).status_code == 200

    assert tenant.seats.get().update_time == before


async def test_unknown_somebody_elses_and_another_organizations_session_are_the_same_404(
    clients: Clients, console: firestore.Client
) -> None:
    tenant, other = Tenant.create(console), Tenant.create(console)
    colleagues = await clients.of(tenant, "m1").acquired()
    foreign = await clients.of(other, "m0").acquired()
    client = clients.of(tenant, "m0")

    answers = [await client.heartbeat(session_id) for session_id in (UNKNOWN, colleagues, foreign)]

    assert [answer.status_code for answer in answers] == [404] * 3
    bodies = [
        answer.text.replace(answer.headers["X-Request-Id"], "ID").replace(answer.json()["server_time"], "TIME")
        for answer in answers
    ]
    assert len(set(bodies)) == 1, bodies
    assert code_of(answers[0]) == "SESSION_NOT_FOUND"
    assert {key for answer in answers for key in answer.headers} == set(answers[0].headers)


async def test_after_release_a_heartbeat_is_told_so(clients: Clients, console: firestore.Client) -> None:
    client = clients.of(Tenant.create(console))
    session_id = await client.acquired()
    await client.release(session_id)

    response = await client.heartbeat(session_id)

    assert (response.status_code, code_of(response)) == (410, "SESSION_RELEASED")


async def test_after_its_lease_ran_out_a_heartbeat_is_refused_and_the_session_has_ended(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.let_lapse(session_id)

    response = await client.heartbeat(session_id)
    again = await client.heartbeat(session_id)

    assert (response.status_code, code_of(response)) == (410, "SESSION_EXPIRED")
    assert (again.status_code, code_of(again)) == (410, "SESSION_EXPIRED")
    assert tenant.session(session_id).get().get("end_reason") == "expired"
    assert [event["session_id"] for event in tenant.events("session.expired")] == [session_id]
    assert tenant.counters()["total"] == 0


async def test_after_an_admin_released_it_a_heartbeat_is_told_so(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant, "m0")
    session_id = await client.acquired()
    await clients.of(tenant, "adam").release(session_id)

    response = await client.heartbeat(session_id)

    assert (response.status_code, code_of(response)) == (410, "SESSION_REVOKED")
    assert response.json()["error"]["details"] == {"reason": "revoked_by_admin"}


async def test_a_session_that_an_admin_ended_by_hand_is_revoked(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.session(session_id).update({"ended_at": datetime.now(UTC)})

    response = await client.heartbeat(session_id)

    assert (response.status_code, code_of(response)) == (410, "SESSION_REVOKED")


PAST = datetime(2020, 1, 1, tzinfo=UTC)
RIGHTS_GONE = [
    pytest.param("license", {"is_active": False}, "LICENSE_INACTIVE", "license_deactivated", id="license deactivated"),
    pytest.param("license", {"expires_at": PAST}, "LICENSE_EXPIRED", "license_expired", id="license expired"),
    pytest.param("organization", {"is_active": False}, "ORGANIZATION_INACTIVE", "organization_deactivated", id="org"),
    pytest.param("user", {"is_active": False}, "USER_INACTIVE", "user_deactivated", id="user deactivated"),
    pytest.param("user", {"role": "guest"}, "ROLE_NOT_ALLOWED", "user_deactivated", id="made a guest"),
    pytest.param("license", None, "LICENSE_NOT_FOUND", "document_removed", id="license removed"),
    pytest.param("user", None, "USER_INACTIVE", "user_deactivated", id="user removed"),
    pytest.param("organization", None, "NO_ORGANIZATION", "document_removed", id="organization removed"),
]


@pytest.mark.parametrize(("document", "change", "code", "reason"), RIGHTS_GONE)
async def test_when_the_right_is_gone_the_heartbeat_is_refused_and_the_session_ended(
    clients: Clients,
    console: firestore.Client,
    document: str,
    change: dict[str, Any] | None,
    code: str,
    reason: str,
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant, "m0")
    session_id = await client.acquired()
    reference = {"license": tenant.license(), "organization": tenant.organization, "user": tenant.user("m0")}[document]
    if change is None:
        reference.delete()
    else:
        reference.update(change)

    response, again = await client.heartbeat(session_id), await client.heartbeat(session_id)

    assert code_of(response) == code
    assert response.status_code == (404 if code == "LICENSE_NOT_FOUND" else 403)
    assert (again.status_code, code_of(again)) == (410, "SESSION_REVOKED")
    (session,) = tenant.sessions()
    assert session["end_reason"] == reason
    assert session["purge_at"] > session["ended_at"]
    (event,) = tenant.events("session.revoked")
    assert event["details"]["reason"] == reason
    assert tenant.counters()["total"] == 0
    assert tenant.counters()["by_license"].get("license-1", 0) == 0


async def test_a_slip_in_the_license_refuses_the_heartbeat_and_ends_nothing(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.license().update({"max_concurrent_seats": "three"})

    response = await client.heartbeat(session_id)

    assert (response.status_code, code_of(response)) == (403, "LICENSE_MISCONFIGURED")
    assert response.json()["error"]["details"] == {"document": "license", "fields": ["max_concurrent_seats"]}
    assert len(tenant.open_sessions()) == 1
    tenant.license().update({"max_concurrent_seats": 3})
    assert (await client.heartbeat(session_id)).status_code == 200


async def test_an_idle_program_leaves_the_seat_and_the_last_one_gives_it_back(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1, idle_seconds=600)
    client, a, b = clients.of(tenant), "instance-a-instance", "instance-b-instance"
    for instance_id in (a, b):
        session_id = (await client.acquire(instance_id=instance_id)).json()["session_id"]

    idle = await client.heartbeat(session_id, instance_id=a, idle_seconds=600)
    busy = await client.heartbeat(session_id, instance_id=b, idle_seconds=599)
    also_idle = await client.heartbeat(session_id, instance_id=b, idle_seconds=86_400)
    next_user = await clients.of(tenant, "m1").acquire()

    assert [idle.status_code, busy.status_code, also_idle.status_code] == [410, 200, 410]
    assert code_of(idle) == code_of(also_idle) == "SESSION_IDLE"
    assert tenant.session(session_id).get().get("end_reason") == "idle"
    (event,) = tenant.events("session.revoked")
    assert (event["actor"], event["details"]["reason"]) == ("system", "idle")
    assert next_user.status_code == 201


@pytest.mark.parametrize("idle_seconds", [-1, 1.5, "600", True, 10 * 365 * 86_400 + 1, [600]])
async def test_idle_seconds_of_another_form_are_refused_and_named(
    clients: Clients, console: firestore.Client, idle_seconds: object
) -> None:
    tenant = Tenant.create(console, idle_seconds=600)
    client = clients.of(tenant)
    session_id = await client.acquired()

    response = await client.heartbeat(session_id, idle_seconds=idle_seconds)

    assert (response.status_code, code_of(response)) == (400, "INVALID_REQUEST")
    assert [each["field"] for each in response.json()["error"]["details"]["fields"]] == ["idle_seconds"]
    assert len(tenant.open_sessions()) == 1


@pytest.mark.parametrize("idle_seconds", [None, 0, 600.0, 10 * 365 * 86_400])
async def test_a_license_without_an_idle_limit_keeps_every_seat(
    clients: Clients, console: firestore.Client, idle_seconds: float | None
) -> None:
    client = clients.of(Tenant.create(console))
    session_id = await client.acquired()

    assert (await client.heartbeat(session_id, idle_seconds=idle_seconds)).status_code == 200
