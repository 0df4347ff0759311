"""Releases: own seats, anyone's for an admin, and twice without harm."""

import asyncio

import pytest
from google.cloud import firestore

from tests.support.client import Clients, code_of
from tests.support.tenant import Tenant


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
