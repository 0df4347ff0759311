"""What a client meets in the course of its work is what the OpenAPI document says, to a validator of JSON Schema."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from google.cloud import firestore

from infra.contracts.openapi.operations import OPERATIONS, function_of
from infra.local.processes import Process
from tests.support.client import Clients
from tests.support.contract import Document, broken_by, problems, the_contract, told_everything
from tests.support.tenant import Tenant


@pytest.fixture(scope="module")
def document() -> Document:
    return told_everything(the_contract())


def _kept(document: Document, function: str, answer: httpx.Response, status: int, code: str | None = None) -> Any:  # noqa: ANN401 any JSON
    """Insist on an answer and that it keeps the contract, and give its body."""
    assert answer.status_code == status, answer.text
    broken = broken_by(document, function, status=status, headers=answer.headers, content=answer.content)
    assert broken == []
    body: Any = answer.json() if answer.content else None
    assert code is None or body["error"]["code"] == code
    return body


async def test_taking_keeping_and_giving_back_a_seat_keeps_the_contract(
    clients: Clients, console: firestore.Client, document: Document
) -> None:
    tenant = Tenant.create(console, seats=1, members=2)
    first, second = clients.of(tenant, "m0"), clients.of(tenant, "m1")

    taken = _kept(document, "acquire", await first.acquire(), 201)
    _kept(document, "acquire", await first.acquire(), 200)
    _kept(document, "acquire", await second.acquire(), 409, "SEAT_LIMIT_REACHED")
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    place = _kept(document, "acquire", await second.acquire(wait_until=until), 202)
    _kept(document, "usage", await second.usage(), 200)
    _kept(document, "release", await second.release(place["session_id"]), 204)
    _kept(document, "heartbeat", await first.heartbeat(taken["session_id"]), 200)
    _kept(document, "heartbeat", await second.heartbeat(taken["session_id"]), 404, "SESSION_NOT_FOUND")
    _kept(document, "release", await first.release(taken["session_id"]), 204)
    _kept(document, "release", await first.release(taken["session_id"]), 204)
    _kept(document, "heartbeat", await first.heartbeat(taken["session_id"]), 410, "SESSION_RELEASED")


async def test_every_way_in_which_a_session_ends_keeps_the_contract(
    clients: Clients, console: firestore.Client, document: Document
) -> None:
    tenant = Tenant.create(console, seats=3, members=1)
    devices = [clients.of(tenant, "m0", hardware_id=name) for name in ("lapsed", "revoked", "by hand")]
    lapsed, revoked, by_hand = [await device.acquired() for device in devices]
    tenant.let_lapse(lapsed)
    await clients.of(tenant, "adam").release(revoked)
    tenant.session(by_hand).update({"ended_at": firestore.SERVER_TIMESTAMP})

    answers = [await devices[0].heartbeat(session) for session in (lapsed, revoked, by_hand)]

    _kept(document, "heartbeat", answers[0], 410, "SESSION_EXPIRED")
    assert _kept(document, "heartbeat", answers[1], 410)["error"]["details"] == {"reason": "revoked_by_admin"}
    assert _kept(document, "heartbeat", answers[2], 410)["error"]["details"] == {"reason": None}


@pytest.mark.parametrize(
    ("edited", "edit", "status", "code"),
    [
        ("organization", {"is_active": False}, 403, "ORGANIZATION_INACTIVE"),
        ("organization", {"max_concurrent_seats": 0}, 409, "ORGANIZATION_SEAT_LIMIT_REACHED"),
        ("license", {"is_active": False}, 403, "LICENSE_INACTIVE"),
        ("license", {"max_concurrent_seats": "many"}, 403, "LICENSE_MISCONFIGURED"),
        ("license", {"license_key": "another"}, 404, "LICENSE_NOT_FOUND"),
        ("license", {"starts_at": datetime(2199, 1, 1, tzinfo=UTC)}, 403, "LICENSE_NOT_STARTED"),
        ("license", {"allowed_groups": ["design"]}, 403, "LICENSE_NOT_ALLOWED"),
        ("license", {"reservations": {"design": 3}}, 409, "SEAT_LIMIT_REACHED"),
    ],
)
async def test_a_refusal_keeps_the_contract(
    clients: Clients,
    console: firestore.Client,
    document: Document,
    edited: str,
    edit: dict[str, object],
    status: int,
    code: str,
) -> None:
    tenant = Tenant.create(console, members=1)
    {"organization": tenant.organization, "license": tenant.license()}[edited].update(edit)

    answer = await clients.of(tenant).acquire()

    _kept(document, "acquire", answer, status, code)


async def test_what_a_device_limit_and_an_idle_limit_come_to_keeps_the_contract(
    clients: Clients, console: firestore.Client, document: Document
) -> None:
    tenant = Tenant.create(console, members=1, max_devices_per_user=1, idle_seconds=600)
    first, second = clients.of(tenant, hardware_id="first"), clients.of(tenant, hardware_id="second")
    session_id = await first.acquired()

    refused = _kept(document, "acquire", await second.acquire(), 409, "USER_DEVICE_LIMIT_REACHED")
    _kept(document, "heartbeat", await first.heartbeat(session_id, idle_seconds=599), 200)
    _kept(document, "heartbeat", await first.heartbeat(session_id, idle_seconds=600), 410, "SESSION_IDLE")
    _kept(document, "heartbeat", await first.heartbeat(session_id), 410, "SESSION_IDLE")
    _kept(document, "acquire", await second.acquire(), 201)

    (own,) = refused["error"]["details"]["sessions"]
    assert (own["session_id"], own["hardware_id"]) == (session_id, "first")


async def test_usage_of_a_license_with_every_term_keeps_the_contract(
    clients: Clients, console: firestore.Client, document: Document
) -> None:
    tenant = Tenant.create(
        console,
        seats=2,
        members=4,
        starts_at=datetime(2026, 1, 1, tzinfo=UTC),
        features={"edition": "pro", "export": True, "layers": 64, "scale": 1.5},
        reservations={"design": 1},
        overdraft_seats=1,
    )
    tenant.user("m0").update({"groups": ["design"]})
    for user_id in ("m0", "m1", "m2"):
        _kept(document, "acquire", await clients.of(tenant, user_id).acquire(), 201)

    (license_,) = _kept(document, "usage", await clients.of(tenant, "olivia").usage(), 200)["licenses"]

    assert license_["pools"] == [{"group": "design", "in_use": 1, "max": 1}, {"group": None, "in_use": 2, "max": 1}]
    assert license_["overdraft"] == {"in_use": 1, "max": 1}
    assert [(each["pool"], each["is_overdraft"]) for each in license_["sessions"]] == [
        ("design", False),
        (None, False),
        (None, True),
    ]


@pytest.mark.parametrize("user_id", ["olivia", "m0", "gus"])
async def test_what_each_role_sees_keeps_the_contract(
    clients: Clients, console: firestore.Client, document: Document, user_id: str
) -> None:
    tenant = Tenant.create(console, seats=3, organization_seats=9, members=2)
    tenant.add_license("broken", "BROKEN", seats=-1)
    for holder in ("m0", "m1"):
        await clients.of(tenant, holder).acquired()

    first = _kept(document, "usage", await clients.of(tenant, user_id).usage(page_size=1), 200)

    assert (first["next_page_token"] is None) is (user_id == "gus")
    assert (first["licenses"][0]["terms"] is not None) is (user_id == "olivia")


@pytest.mark.parametrize("function", OPERATIONS)
async def test_a_question_for_the_head_only_is_answered_as_another_method(
    http: httpx.AsyncClient, servers: Mapping[str, Process], document: Document, function: str
) -> None:
    answer = await http.head(servers[function_of(function)].url)

    assert (answer.status_code, answer.content) == (405, b"")
    assert broken_by(document, function, status=405, headers=answer.headers, content=None) == []


async def test_a_page_token_that_is_none_is_explained_in_plain_words(
    clients: Clients, console: firestore.Client, document: Document
) -> None:
    answer = await clients.of(Tenant.create(console, members=1)).usage(page_token="a/b")

    (problem,) = _kept(document, "usage", answer, 400)["error"]["details"]["fields"]
    assert problem == {"field": "page_token", "problem": "not a page token; send next_page_token of the page before"}


# The checks themselves


BODY: dict[str, Any] = {
    "session_id": "a" * 26,
    "lease_expires_at": "2026-03-02T09:14:07.250000Z",
    "grace_ends_at": "2026-03-02T09:14:07.250000Z",
    "lease_token": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl",
    "heartbeat_interval_seconds": 114,
    "borrowed_until": None,
    "features": {"edition": "pro"},
    "license_expires_at": None,
    "server_time": "2026-03-02T09:14:07.250000Z",
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, 0),
        ({"server_time": "yesterday"}, 1),
        ({"server_time": "2026-03-02"}, 1),
        ({"heartbeat_interval_seconds": "114"}, 1),
        ({"lease": 5}, 1),
        ({"session_id": None, "lease_expires_at": None}, 2),
        ({"features": {"edition": None}}, 1),
        ({"license_expires_at": "2027-01-01"}, 1),
    ],
)
def test_an_answer_that_breaks_the_contract_is_found(document: Document, change: dict[str, object], told: int) -> None:
    schema = {"$ref": "#/components/schemas/HeartbeatAnswer"}

    assert len(problems(document, schema, {**BODY, **change})) == told


@pytest.mark.parametrize(
    ("status", "headers", "content", "found"),
    [
        (418, {}, b"", "no answer of release has the status 418"),
        (204, {"Cache-Control": "no-store"}, b"", "no header X-Request-Id"),
        (
            204,
            {"Cache-Control": "public", "X-Request-Id": "12345678"},
            b"",
            "Cache-Control: $: 'no-store' was expected",
        ),
        (204, {"Cache-Control": "no-store", "X-Request-Id": "12345678"}, b"{}", "a body: b'{}'"),
        (405, {"Cache-Control": "no-store", "X-Request-Id": "12345678"}, b"", "no header Allow"),
    ],
)
def test_a_head_that_breaks_the_contract_is_found(
    document: Document, status: int, headers: dict[str, str], content: bytes, found: str
) -> None:
    assert found in broken_by(document, "release", status=status, headers=headers, content=content)
