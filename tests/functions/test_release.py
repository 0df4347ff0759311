"""Releases: own seats, anyone's for an admin, and twice without harm."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import firestore

from shared.documents.rfc3339 import rfc3339
from tests.support.client import Clients, assert_error, code_of
from tests.support.tenant import LICENSE_ID, Tenant


async def test_a_released_seat_lets_the_next_one_in(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    leaving, waiting = clients.of(tenant, "m0"), clients.of(tenant, "m1")
    session_id = await leaving.acquired()
    assert (await waiting.acquire()).status_code == 409

    response = await leaving.release(session_id)

    assert (response.status_code, response.content) == (204, b"")
    assert (await waiting.acquire()).status_code == 201


async def test_releasing_twice_is_204_both_times_with_one_audit_event(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()

    answers = [await client.release(session_id), await client.release(session_id)]

    assert [answer.status_code for answer in answers] == [204, 204]
    (event,) = tenant.events("session.released")
    assert (event["actor"], event["details"]["reason"]) == ("m0", "released")
    assert tenant.counters()["total"] == 0


async def test_releasing_at_the_same_moment_frees_one_seat(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=2)
    client = clients.of(tenant)
    session_id = await client.acquired()
    await clients.of(tenant, "m1").acquired()

    answers = await asyncio.gather(*(client.release(session_id) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {204}
    assert len(tenant.events("session.released")) == 1
    assert tenant.counters()["total"] == 1


async def test_a_member_cannot_release_anothers_session(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()

    response = await clients.of(tenant, "m1").release(session_id)

    assert (response.status_code, code_of(response)) == (404, "SESSION_NOT_FOUND")
    assert len(tenant.open_sessions()) == 1


@pytest.mark.parametrize("manager", ["olivia", "adam"])
async def test_an_owner_or_admin_can_release_anyones_session(
    clients: Clients, console: firestore.Client, manager: str
) -> None:
    tenant = Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()

    response = await clients.of(tenant, manager).release(session_id)

    assert response.status_code == 204
    (session,) = tenant.sessions()
    assert session["end_reason"] == "revoked_by_admin"
    (event,) = tenant.events("session.revoked")
    assert event["actor"] == manager


async def test_an_admin_of_another_organization_finds_nothing(clients: Clients, console: firestore.Client) -> None:
    tenant, other = Tenant.create(console), Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()

    response = await clients.of(other, "olivia").release(session_id)

    assert (response.status_code, code_of(response)) == (404, "SESSION_NOT_FOUND")
    assert len(tenant.open_sessions()) == 1


async def test_a_deactivated_admin_revokes_nothing_but_may_give_back_the_own_seat(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    others = await clients.of(tenant, "m0").acquired()
    admin = clients.of(tenant, "adam")
    own = await admin.acquired()
    tenant.user("adam").update({"is_active": False})

    answers = [await admin.release(others), await admin.release(own)]

    assert [answer.status_code for answer in answers] == [404, 204]


async def test_releasing_a_lapsed_session_is_204_and_tells_the_truth(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.let_lapse(session_id)

    response = await client.release(session_id)

    assert response.status_code == 204
    assert [event["type"] for event in tenant.events()][-1] == "session.expired"
    assert tenant.counters()["total"] == 0


async def test_an_unknown_session_is_not_found(clients: Clients, console: firestore.Client) -> None:
    response = await clients.of(Tenant.create(console)).release("b" * 26)

    assert (response.status_code, code_of(response)) == (404, "SESSION_NOT_FOUND")


async def test_a_user_whose_session_an_owner_ends_until_a_time_gets_no_seat_before(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    passed = datetime.now(UTC) - timedelta(days=1)
    tenant.user("m0").update({"kept_out": {"old": passed}})
    user, owner = clients.of(tenant, "m0"), clients.of(tenant, "olivia")
    session_id = await user.acquired()
    on_another_device = clients.of(tenant, "m0", hardware_id="desktop")
    other_id = await on_another_device.acquired()
    until = datetime.now(UTC) + timedelta(hours=2)

    answers = [await owner.release(session_id, until=until.isoformat()) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    (event,) = tenant.events("session.revoked")
    assert (event["actor"], event["details"]["kept_out_until"]) == ("olivia", until)
    assert tenant.user("m0").get().get("kept_out") == {LICENSE_ID: until}
    refused = await user.acquire()
    assert_error(refused, 403, "KEPT_OUT")
    assert refused.json()["error"]["details"] == {"until": rfc3339(until)}
    assert (await on_another_device.heartbeat(other_id)).status_code == 200

    tenant.user("m0").update({f"kept_out.{LICENSE_ID}": passed})

    assert (await user.acquire()).status_code == 201


async def test_users_of_one_group_are_each_kept_out_of_every_license(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    tenant.add_license("license-2", f"{tenant.license_key}-2", seats=3)
    keys = {LICENSE_ID: tenant.license_key, "license-2": f"{tenant.license_key}-2"}
    held = {
        (user_id, license_id): await clients.of(tenant, user_id, license_key=key).acquired()
        for user_id in ("m0", "m1")
        for license_id, key in keys.items()
    }
    until = datetime.now(UTC) + timedelta(days=1)
    owner = clients.of(tenant, "olivia")

    answers = await asyncio.gather(*(owner.release(each, until=until.isoformat()) for each in held.values()))

    assert {answer.status_code for answer in answers} == {204}
    assert [tenant.user(user_id).get().get("kept_out") for user_id in ("m0", "m1")] == [dict.fromkeys(keys, until)] * 2


@pytest.mark.parametrize(
    ("user_id", "ahead", "problem"),
    [
        ("olivia", timedelta(days=31), "not a time within the next 30 days"),
        ("olivia", timedelta(seconds=-1), "not a time within the next 30 days"),
        ("m0", timedelta(hours=1), "counts for the session of another user only"),
    ],
)
async def test_an_until_that_cannot_be_is_refused_and_ends_nothing(
    clients: Clients, console: firestore.Client, user_id: str, ahead: timedelta, problem: str
) -> None:
    tenant = Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()

    refused = await clients.of(tenant, user_id).release(session_id, until=(datetime.now(UTC) + ahead).isoformat())

    assert_error(refused, 400, "INVALID_REQUEST")
    assert refused.json()["error"]["details"]["fields"] == [{"field": "until", "problem": problem}]
    assert len(tenant.open_sessions()) == 1
