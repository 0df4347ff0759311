"""Documents edited by hand: counters, sessions and licenses in every state but the right one."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud import firestore

from tests.support.client import Clients, code_of
from tests.support.tenant import Tenant


async def _grants(clients: Clients, tenant: Tenant, users: range) -> list[int]:
    answers = await asyncio.gather(*(clients.of(tenant, f"m{n}").acquire() for n in users))
    return sorted(answer.status_code for answer in answers)


COUNTER_EDITS = [
    pytest.param({"total": 9}, id="total up"),
    pytest.param({"total": 0}, id="total down"),
    pytest.param({"by_license.`license-1`": 9}, id="one license up"),
    pytest.param({"by_license.`license-1`": 0}, id="one license down"),
    pytest.param({"total": 0, "by_license": {}}, id="both down, together"),
    pytest.param({"total": 9, "by_license": {"license-1": 9}}, id="both up, together"),
    pytest.param({"total": -3, "by_license": {"license-1": -3}}, id="negative"),
    pytest.param({"total": "two"}, id="not a number"),
    pytest.param({"by_license": None}, id="not a map"),
    pytest.param({"checksum": firestore.DELETE_FIELD}, id="checksum removed"),
    pytest.param({"grants": 0}, id="grants set back"),
    pytest.param(None, id="deleted"),
]


@pytest.mark.parametrize("edit", COUNTER_EDITS)
async def test_whatever_is_done_to_the_counter_no_seat_is_lost_and_none_is_granted_twice(
    clients: Clients, console: firestore.Client, edit: dict[str, Any] | None
) -> None:
    tenant = Tenant.create(console, seats=5, members=8)
    assert await _grants(clients, tenant, range(2)) == [201] * 2
    if edit is None:
        tenant.seats.delete()
    else:
        tenant.seats.update(edit)

    codes = await _grants(clients, tenant, range(2, 8))

    assert codes == [201] * 3 + [409] * 3
    assert len(tenant.open_sessions()) == 5
    assert (tenant.counters()["total"], tenant.counters()["by_license"]) == (5, {"license-1": 5})
    assert sorted(e["grant_number"] for e in tenant.events("session.acquired")) == [1, 2, 3, 4, 5]
    (repair,) = tenant.events("usage.repaired")
    assert repair["details"]["after"] == [{"license_id": "license-1", "in_use": 2, "pools": []}]


async def test_a_counter_deleted_between_acquire_and_release_heals(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=3, members=6)
    first = await clients.of(tenant, "m0").acquired()
    await clients.of(tenant, "m1").acquired()
    tenant.seats.delete()
    await clients.of(tenant, "m0").release(first)

    codes = await _grants(clients, tenant, range(2, 6))

    assert codes == [201] * 2 + [409] * 2
    assert tenant.counters()["total"] == 3


async def test_a_session_deleted_by_hand_frees_its_seat(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=2)
    gone = clients.of(tenant, "m0")
    session_id = await gone.acquired()
    await clients.of(tenant, "m1").acquired()
    tenant.session(session_id).delete()

    granted, late = await clients.of(tenant, "m2").acquire(), await gone.heartbeat(session_id)

    assert granted.status_code == 201
    assert granted.json()["seats"] == {"in_use": 2, "max": 2}
    assert (late.status_code, code_of(late)) == (404, "SESSION_NOT_FOUND")
    (repair,) = tenant.events("usage.repaired")
    assert repair["details"] == {
        "before": [{"license_id": "license-1", "in_use": 2, "pools": []}],
        "after": [{"license_id": "license-1", "in_use": 1, "pools": []}],
    }
    assert tenant.counters()["total"] == 2


async def test_a_session_ended_by_hand_frees_its_seat(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    session_id = await clients.of(tenant, "m0").acquired()
    tenant.session(session_id).update({"ended_at": firestore.SERVER_TIMESTAMP})

    granted = await clients.of(tenant, "m1").acquire()

    assert granted.status_code == 201
    assert tenant.counters()["total"] == 1


BROKEN_LICENSES = [
    pytest.param({"max_concurrent_seats": "20"}, "max_concurrent_seats", id="seats as text"),
    pytest.param({"max_concurrent_seats": -1}, "max_concurrent_seats", id="negative seats"),
    pytest.param({"max_concurrent_seats": None}, "max_concurrent_seats", id="no number of seats"),
    pytest.param({"max_concurrent_seats": True}, "max_concurrent_seats", id="yes is not a number"),
    pytest.param({"max_concurrent_seats": 2.5}, "max_concurrent_seats", id="half a seat"),
    pytest.param({"expires_at": "2030-01-01"}, "expires_at", id="date as text"),
    pytest.param({"expires_at": datetime(9999, 12, 31, tzinfo=UTC)}, "expires_at", id="the end of all times"),
    pytest.param({"is_active": "yes"}, "is_active", id="active as text"),
    pytest.param({"lease_seconds": 0}, "lease_seconds", id="no lease"),
    pytest.param({"grace_seconds": -1}, "grace_seconds", id="a grace before the lease's end"),
    pytest.param({"grace_seconds": 2_592_001}, "grace_seconds", id="a grace of more than 30 days"),
    pytest.param({"name": firestore.GeoPoint(1, 2)}, "name", id="a place for a name"),
]


@pytest.mark.parametrize(("edit", "field"), BROKEN_LICENSES)
async def test_a_license_that_cannot_be_used_is_named_and_grants_nothing(
    clients: Clients, console: firestore.Client, edit: dict[str, Any], field: str
) -> None:
    tenant = Tenant.create(console)
    tenant.license().update(edit)

    response = await clients.of(tenant).acquire()

    assert (response.status_code, code_of(response)) == (403, "LICENSE_MISCONFIGURED")
    assert response.json()["error"]["details"] == {"document": "license", "fields": [field]}
    assert tenant.sessions() == []


async def test_a_mistake_that_heartbeats_do_not_look_at_is_none_to_them_also_when_they_see_the_license_first(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.license().update({"name": 5})

    # The first one asks which license it is, the second one knows.
    codes = [(await client.heartbeat(session_id)).status_code for _ in range(2)]

    assert codes == [200, 200]


async def test_a_license_without_a_key_is_not_found(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    tenant.license().update({"license_key": firestore.DELETE_FIELD})

    response = await clients.of(tenant).acquire()

    assert (response.status_code, code_of(response)) == (404, "LICENSE_NOT_FOUND")


async def test_a_license_with_only_a_key_and_seats_works(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    tenant.license().set({"license_key": tenant.license_key, "max_concurrent_seats": 1})

    assert (await clients.of(tenant).acquire()).status_code == 201


async def test_a_key_given_to_two_licenses_is_the_admins_to_mend(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    tenant.add_license("license-2", tenant.license_key, seats=5)

    response = await clients.of(tenant).acquire()

    assert (response.status_code, code_of(response)) == (403, "LICENSE_MISCONFIGURED")
    assert response.json()["error"]["details"]["fields"] == ["license_key"]


@pytest.mark.parametrize("document", ["organization", "user"])
async def test_an_organization_or_user_that_cannot_be_used_grants_nothing(
    clients: Clients, console: firestore.Client, document: str
) -> None:
    tenant = Tenant.create(console)
    reference = {"organization": tenant.organization, "user": tenant.user("m0")}[document]
    reference.update({"is_active": "no"})

    response = await clients.of(tenant, "m0").acquire()

    assert (response.status_code, code_of(response)) == (403, "LICENSE_MISCONFIGURED")
    assert response.json()["error"]["details"] == {"document": document, "fields": ["is_active"]}


async def test_without_an_organization_document_nothing_is_granted(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    tenant.organization.delete()

    response = await clients.of(tenant).acquire()

    assert (response.status_code, code_of(response)) == (403, "NO_ORGANIZATION")
    assert tenant.sessions() == []


@pytest.mark.parametrize("edit", [{"lease_expires_at": "soon"}, {"lease_expires_at": firestore.DELETE_FIELD}], ids=str)
async def test_a_session_whose_lease_is_no_time_counts_as_lapsed_and_gives_its_seat_back(
    clients: Clients, console: firestore.Client, edit: dict[str, Any]
) -> None:
    tenant = Tenant.create(console, seats=1)
    client, other = clients.of(tenant, "m0"), clients.of(tenant, "m1")
    session_id = await client.acquired()
    tenant.session(session_id).update(edit)

    late = await client.heartbeat(session_id)
    granted = await other.acquire()

    assert (late.status_code, code_of(late)) == (410, "SESSION_EXPIRED")
    assert granted.status_code == 201
    assert granted.json()["seats"] == {"in_use": 1, "max": 1}
    assert tenant.session(session_id).get().get("end_reason") == "expired"


async def test_a_program_takes_its_seat_anew_whose_lease_is_no_time(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.session(session_id).update({"lease_expires_at": "soon"})

    again = await client.acquire()

    assert (again.status_code, again.json()["renewed"]) == (201, False)
    assert tenant.counters()["total"] == 1
    assert len(tenant.events("session.expired")) == 1


@pytest.mark.parametrize(
    "edit", [{"user_agent": 5}, {"pool": 5}, {"instances": "two"}, {"last_heartbeat_at": 5}], ids=str
)
async def test_a_mistake_in_what_a_session_only_tells_stops_no_program(
    clients: Clients, console: firestore.Client, edit: dict[str, Any]
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.session(session_id).update(edit)

    answers = [await client.acquire(), await client.heartbeat(session_id), await client.release(session_id)]

    assert [answer.status_code for answer in answers] == [200, 200, 204]
    assert tenant.counters()["total"] == 0


@pytest.mark.parametrize("edit", [{"user_id": 5}, {"license_id": "a/b"}, {"started_at": "now"}], ids=str)
async def test_a_session_that_cannot_be_read_is_refused_and_left_to_the_admin(
    clients: Clients, console: firestore.Client, edit: dict[str, Any]
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.session(session_id).update(edit)
    before = tenant.session(session_id).get().update_time

    answers = [await client.acquire(), await client.heartbeat(session_id), await client.release(session_id)]

    assert [(answer.status_code, code_of(answer)) for answer in answers] == [(403, "LICENSE_MISCONFIGURED")] * 3
    assert tenant.session(session_id).get().update_time == before


@pytest.mark.parametrize("made_up", ["0aQ9XyPmT7LkRzBvN2We", "-", "é"])
async def test_a_session_made_by_hand_under_any_id_holds_a_seat_until_it_lapses(
    clients: Clients, console: firestore.Client, made_up: str
) -> None:
    tenant = Tenant.create(console, seats=1)
    session_id = await clients.of(tenant, "m0").acquired()
    tenant.session(made_up).set(tenant.session(session_id).get().to_dict() or {})
    tenant.session(session_id).delete()

    full = await clients.of(tenant, "m1").acquire()
    tenant.let_lapse(made_up)
    await clients.of(tenant, "m1").acquired_soon()

    assert full.status_code == 409
    assert tenant.session(made_up).get().get("end_reason") == "expired"


async def test_one_broken_user_does_not_stop_the_others_of_the_same_moment(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=20, members=10)
    tenant.user("m3").update({"role": "wizard"})
    tenant.user("m5").delete()

    answers = await asyncio.gather(*(clients.of(tenant, f"m{n}").acquire() for n in range(10)))

    assert [answer.status_code for answer in answers] == [201, 201, 201, 403, 201, 403, 201, 201, 201, 201]


@pytest.mark.long
async def test_more_lapsed_sessions_than_one_commit_ends_are_all_given_away(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=450, members=10)
    await asyncio.gather(*(clients.of(tenant, f"m{n % 10}", hardware_id=f"d{n}").acquired() for n in range(450)))
    batch = console.batch()
    for number, document in enumerate(tenant.organization.collection("sessions").stream()):
        batch.update(document.reference, {"lease_expires_at": document.get("started_at")})
        assert number < 450
    batch.commit()
    tenant.license().update({"max_concurrent_seats": 1})

    granted = await clients.of(tenant, "m1").acquire()

    assert granted.status_code == 201
    assert len(tenant.open_sessions()) == 1
    assert tenant.counters()["total"] == 1
    assert len(tenant.events("session.expired")) == 450
