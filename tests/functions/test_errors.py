"""The error catalogue over HTTP: every code, its one status and the one form of all errors."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import httpx
import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud import firestore

from infra.local.processes import Process
from infra.local.tokens import unsigned_token
from shared.documents.paths import OrganizationPaths
from shared.edge.errors import Code
from shared.rules.audit import grant_name
from tests.support.client import Clients, assert_error
from tests.support.servers import StartFunction
from tests.support.tenant import Tenant

JSON = {"Content-Type": "application/json"}

# As infra/docs/errors.md promises: each code has exactly one status.
STATUS = {
    400: {"INVALID_REQUEST", "INVALID_JSON"},
    401: {"TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED"},
    403: {
        "NO_ORGANIZATION",
        "ORGANIZATION_INACTIVE",
        "USER_INACTIVE",
        "ROLE_NOT_ALLOWED",
        "LICENSE_INACTIVE",
        "LICENSE_EXPIRED",
        "KEPT_OUT",
        "NO_INVITATION",
        "IN_ANOTHER_ORGANIZATION",
        "LICENSE_NOT_STARTED",
        "LICENSE_NOT_ALLOWED",
        "BORROWING_OFF",
        "BORROW_TOO_LONG",
        "LICENSE_MISCONFIGURED",
    },
    404: {"LICENSE_NOT_FOUND", "SESSION_NOT_FOUND", "USER_NOT_FOUND"},
    405: {"METHOD_NOT_ALLOWED"},
    408: {"BODY_TOO_SLOW"},
    409: {
        "SEAT_LIMIT_REACHED",
        "ORGANIZATION_SEAT_LIMIT_REACHED",
        "INSTANCE_LIMIT_REACHED",
        "USER_DEVICE_LIMIT_REACHED",
        "BORROWED_SEATS_LIMIT_REACHED",
        "ALREADY_A_MEMBER",
        "INVITATION_LIMIT_REACHED",
        "LAST_OWNER",
    },
    410: {"SESSION_EXPIRED", "SESSION_RELEASED", "SESSION_REVOKED", "SESSION_IDLE"},
    413: {"BODY_TOO_LARGE"},
    415: {"UNSUPPORTED_MEDIA_TYPE"},
    429: {"RATE_LIMITED"},
    500: {"INTERNAL"},
    503: {"CONTENTION", "STORE_UNAVAILABLE", "TOPIC_UNAVAILABLE"},
}


def test_each_code_has_exactly_the_promised_status() -> None:
    assert {code.value: int(code.status) for code in Code} == {
        code: status for status, codes in STATUS.items() for code in codes
    }


def _acquire_body(**changes: object) -> bytes:
    return json.dumps({"license_key": "K", "hardware_id": "H", **changes}).encode()


BAD_BODIES = [
    pytest.param(b"", "INVALID_JSON", id="empty"),
    pytest.param(b'{"license_key": "K"', "INVALID_JSON", id="cut off"),
    pytest.param(b"license_key=K", "INVALID_JSON", id="a form"),
    pytest.param(b'{"license_key": "\xff", "hardware_id": "H"}', "INVALID_JSON", id="not UTF-8"),
    pytest.param(b'{"license_key": "\\ud800", "hardware_id": "H"}', "INVALID_JSON", id="a lone surrogate"),
    pytest.param(b"NaN", "INVALID_REQUEST", id="not a number"),
    pytest.param(b"[]", "INVALID_REQUEST", id="an array"),
    pytest.param(b"null", "INVALID_REQUEST", id="null"),
    pytest.param(b"{}", "INVALID_REQUEST", id="no fields"),
    pytest.param(_acquire_body(organization_id="other"), "INVALID_REQUEST", id="an unknown field"),
    pytest.param(_acquire_body(hardware_id=5), "INVALID_REQUEST", id="a number for text"),
    pytest.param(_acquire_body(hardware_id=None), "INVALID_REQUEST", id="null for text"),
    pytest.param(_acquire_body(hardware_id=["H"]), "INVALID_REQUEST", id="a list for text"),
    pytest.param(_acquire_body(hardware_id=""), "INVALID_REQUEST", id="an empty hardware id"),
    pytest.param(_acquire_body(hardware_id="h" * 10_000), "INVALID_REQUEST", id="a hardware id of 10,000 characters"),
    pytest.param(_acquire_body(hardware_id="a\x00b"), "INVALID_REQUEST", id="NUL in the hardware id"),
    pytest.param(_acquire_body(license_key="a\x00b"), "INVALID_REQUEST", id="NUL in the license key"),
    pytest.param(_acquire_body(license_key="a\nb"), "INVALID_REQUEST", id="a line break in the license key"),
    *(
        pytest.param(_acquire_body(**{field: f"a{character}b"}), "INVALID_REQUEST", id=f"{name} in {field}")
        for field in ("hardware_id", "license_key")
        for name, character in {
            "C1": "\x9b",
            "DEL": "\x7f",
            "a soft hyphen": "\xad",
            "a zero-width space": "\u200b",
            "a line separator": "\u2028",
            "a bidi override": "\u202e",
            "a bidi isolate": "\u2066",
            "a byte order mark": "\ufeff",
            "a tag": "\U000e0041",
        }.items()
    ),
]


@pytest.mark.parametrize(("body", "code"), BAD_BODIES)
async def test_a_bad_body_is_refused_with_400_and_nothing_is_written(
    clients: Clients, console: firestore.Client, body: bytes, code: str
) -> None:
    tenant = Tenant.create(console, members=1)

    response = await clients.of(tenant).post("acquire", content=body, headers=JSON)

    assert_error(response, 400, code)
    assert tenant.sessions() == []


async def test_the_details_name_the_field(clients: Clients, console: firestore.Client) -> None:
    client = clients.of(Tenant.create(console, members=1))

    response = await client.post("acquire", json={"license_key": "K", "hardware_id": 5, "color": "red"})

    fields = [problem["field"] for problem in response.json()["error"]["details"]["fields"]]
    assert fields == ["hardware_id", "color"]


async def test_a_problem_with_a_character_that_nobody_sees_is_told_in_characters_that_are_seen(
    clients: Clients, console: firestore.Client
) -> None:
    client = clients.of(Tenant.create(console, members=1))

    answers = [await client.acquire(hardware_id="a\u202eb"), await client.usage(license_key="a\u202eb")]

    for answer, field in zip(answers, ("hardware_id", "license_key"), strict=True):
        (problem,) = answer.json()["error"]["details"]["fields"]
        assert problem == {
            "field": field,
            "problem": "not one line of characters that are seen; leave out tabs, control and formatting characters",
        }


async def test_of_thousands_of_problems_the_first_are_told(clients: Clients, console: firestore.Client) -> None:
    client = clients.of(Tenant.create(console, members=1))
    many = {f"{number:x}": 1 for number in range(1_500)}

    answers = [await client.post("acquire", json=many), await client.usage(**many)]

    for answer in answers:
        assert_error(answer, 400, "INVALID_REQUEST")
        assert len(answer.json()["error"]["details"]["fields"]) == 20
        assert len(answer.content) < 4_000


@pytest.mark.parametrize("function", ["heartbeat", "release"])
@pytest.mark.parametrize("session_id", ["", "short", "A" * 26, "../users/olivia", "a" * 27, "a" * 25 + "1"])
async def test_what_cannot_be_a_session_id_is_refused(
    clients: Clients, console: firestore.Client, function: str, session_id: str
) -> None:
    client = clients.of(Tenant.create(console, members=1))

    response = await client.post(function, json={"session_id": session_id})

    assert_error(response, 400, "INVALID_REQUEST")


@pytest.mark.parametrize("function", ["acquire", "heartbeat", "release"])
async def test_a_body_over_16_kib_is_413(clients: Clients, console: firestore.Client, function: str) -> None:
    client = clients.of(Tenant.create(console, members=1))

    answers = [
        await client.post(function, content=b" " * 1024 * 1024, headers=JSON),
        await client.post(function, content=b" " * (16 * 1024 + 1), headers=JSON),
    ]

    for answer in answers:
        assert_error(answer, 413, "BODY_TOO_LARGE")


async def test_a_body_without_a_length_is_measured_as_it_comes(clients: Clients, console: firestore.Client) -> None:
    async def endless_chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 1024

    response = await clients.of(Tenant.create(console, members=1)).post(
        "acquire", content=endless_chunks(), headers=JSON
    )

    assert_error(response, 413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_media_type_is_415(clients: Clients, console: firestore.Client, content_type: str) -> None:
    client = clients.of(Tenant.create(console, members=1))

    response = await client.post("acquire", content=_acquire_body(), headers={"Content-Type": content_type})

    assert_error(response, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("function", ["acquire", "heartbeat", "history", "release", "usage"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_405_and_says_which(
    http: httpx.AsyncClient, servers: Mapping[str, Process], function: str, method: str
) -> None:
    allowed = "GET" if function in {"history", "usage"} else "POST"
    if method == allowed:
        expected, code = 401, "TOKEN_MISSING"
    else:
        expected, code = 405, "METHOD_NOT_ALLOWED"

    response = await http.request(method, servers[function].url)

    assert_error(response, expected, code)
    if expected == 405:
        assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic b2xpdmlhOng=", "token"])
async def test_without_a_bearer_token_it_is_401(
    http: httpx.AsyncClient, servers: Mapping[str, Process], authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    response = await http.post(servers["acquire"].url, json={}, headers=headers)

    assert_error(response, 401, "TOKEN_MISSING")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("organization_id", [None, "", "a/b", "..", "__x__", "x" * 1501])
async def test_a_token_that_names_no_possible_organization_is_403(
    http: httpx.AsyncClient, servers: Mapping[str, Process], project: str, organization_id: str | None
) -> None:
    token = unsigned_token(project=project, organization_id=organization_id, user_id="m0")

    response = await http.post(servers["acquire"].url, json={}, headers={"Authorization": f"Bearer {token}"})

    assert_error(response, 403, "NO_ORGANIZATION")


REFUSALS = [
    pytest.param("organization", {"is_active": False}, 403, "ORGANIZATION_INACTIVE", id="organization inactive"),
    pytest.param("user", {"is_active": False}, 403, "USER_INACTIVE", id="user inactive"),
    pytest.param("user", {"role": "guest"}, 403, "ROLE_NOT_ALLOWED", id="guest"),
    pytest.param("license", {"is_active": False}, 403, "LICENSE_INACTIVE", id="license inactive"),
    pytest.param("license", {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, 403, "LICENSE_EXPIRED", id="expired"),
    pytest.param("license", {"name": 5}, 403, "LICENSE_MISCONFIGURED", id="misconfigured"),
    pytest.param("license", {"license_key": "other"}, 404, "LICENSE_NOT_FOUND", id="no such key"),
    pytest.param("license", {"max_concurrent_seats": 0}, 409, "SEAT_LIMIT_REACHED", id="no seats"),
    pytest.param(
        "organization", {"max_concurrent_seats": 0}, 409, "ORGANIZATION_SEAT_LIMIT_REACHED", id="no seats left"
    ),
]


@pytest.mark.parametrize(("document", "edit", "status", "code"), REFUSALS)
async def test_a_refusal_has_its_code_and_takes_no_seat(
    clients: Clients, console: firestore.Client, document: str, edit: dict[str, object], status: int, code: str
) -> None:
    tenant = Tenant.create(console, members=1)
    {"organization": tenant.organization, "user": tenant.user("m0"), "license": tenant.license()}[document].update(edit)

    response = await clients.of(tenant, "m0").acquire()

    assert_error(response, status, code)
    assert tenant.sessions() == []
    assert [event["type"] for event in tenant.events()] == (["session.denied"] if status == 409 else [])
    if status == 409:
        assert response.headers["Retry-After"].isdigit()


async def test_the_clients_request_id_is_used_when_it_can_be(clients: Clients, console: firestore.Client) -> None:
    client = clients.of(Tenant.create(console, members=1))

    kept = await client.post("acquire", json={}, headers={"X-Request-Id": "build-4711-attempt-2"})
    replaced = await client.post("acquire", json={}, headers={"X-Request-Id": 'x"; injected'})

    assert kept.json()["error"]["request_id"] == "build-4711-attempt-2"
    assert "injected" not in replaced.text


def _fill_to_the_brim(session: firestore.DocumentReference) -> None:
    """Pad a document until one more byte would exceed Firestore's limit of 1 MiB."""
    fits, too_much = 0, 1 << 20
    while too_much - fits > 1:
        size = (fits + too_much) // 2
        try:
            session.update({"note": "x" * size})
        except InvalidArgument:
            too_much = size
        else:
            fits = size


async def test_a_fault_of_ours_is_500_and_opaque_and_its_neighbours_do_not_feel_it(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=9, members=6)
    people = [clients.of(tenant, f"m{n}") for n in range(6)]
    sessions = [await person.acquired() for person in people]
    # An admin's note filled the document: the fields that end the session find no room in it.
    _fill_to_the_brim(tenant.session(sessions[3]))

    answers = await asyncio.gather(*(person.release(session) for person, session in zip(people, sessions, strict=True)))

    assert [answer.status_code for answer in answers] == [204, 204, 204, 500, 204, 204]
    assert_error(answers[3], 500, "INTERNAL")
    assert "1048" not in answers[3].text
    assert len(tenant.open_sessions()) == 1
    assert tenant.counters()["total"] == 1


async def test_seats_that_others_change_all_the_time_are_503_contention_by_the_deadline(
    http: httpx.AsyncClient, start_server: StartFunction, console: firestore.Client, project: str
) -> None:
    tenant = Tenant.create(console, seats=3, members=2)
    process = start_server(
        "acquire",
        SEATLEASE_ANSWER_WITHIN_SECONDS="2",
        SEATLEASE_STORE_TIMEOUT_SECONDS="1",
    )
    process.wait_until_ready()
    clients = Clients(http=http, urls={"acquire": process.url}, project=project)
    await clients.of(tenant, "m0").acquired()
    # To the function, the second grant has always just been made by somebody else.
    second_grant = OrganizationPaths(tenant.organization_id).audit_event(
        grant_name(2, epoch=tenant.counters()["epoch"])
    )
    taken = console.document(second_grant)
    taken.set({"type": "session.acquired"})

    response = await clients.of(tenant, "m1").acquire()

    assert_error(response, 503, "CONTENTION")
    assert response.headers["Retry-After"] == "1"
    assert len(tenant.open_sessions()) == 1
    tenant.seats.delete()
    taken.delete()
    assert (await clients.of(tenant, "m1").acquire()).status_code == 201
    process.stop()
