"""Requests that no library would send: what our own code makes of them. HTTP itself is the server's and the platform's.

Raw bytes go to the server that the platform starts, and to the local gateway.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from socket import socket

import httpx
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from infra.local.tokens import unsigned_token
from shared.edge.identity import AT_A_TIME
from shared.edge.requests import BODY_WITHIN_SECONDS
from tests.support.client import Clients
from tests.support.raw import answers, connected, parsed, received
from tests.support.servers import StartFunction, StartServers, gateway_to
from tests.support.tenant import Tenant

LAST = b"Connection: close"
MB = 1_024 * 1_024


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console, seats=50)


@pytest.fixture
def url(servers: Mapping[str, Process]) -> str:
    """The server of acquire."""
    return servers["acquire"].url


@pytest.fixture
def token(project: str, tenant: Tenant) -> bytes:
    return unsigned_token(project=project, organization_id=tenant.organization_id, user_id="m0").encode()


@pytest.fixture
def body(tenant: Tenant) -> bytes:
    return json.dumps({"license_key": tenant.license_key, "hardware_id": "H"}).encode()


def _post(token: bytes, *headers: bytes) -> bytes:
    usual = (b"POST / HTTP/1.1", b"Host: x", b"Content-Type: application/json", b"Authorization: Bearer " + token)
    return b"\r\n".join([*usual, *headers, b"", b""])


# Bodies


def test_what_follows_a_body_that_is_too_large_is_not_taken_from_it(url: str, token: bytes) -> None:
    second = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    got = answers(url, _post(token, b"Content-Length: 20000"), second.ljust(20_000), second)

    assert [answer.status for answer in got] == [413, 405]


def test_a_length_with_thousands_of_noughts_is_the_number_behind_them(url: str, token: bytes, body: bytes) -> None:
    padded = b"0" * 5_000

    got = answers(
        url,
        _post(token, b"Content-Length: " + padded + b"%d" % len(body)) + body,
        _post(token, LAST, b"Content-Length: " + padded + b"20000") + b" " * 20_000,
    )

    assert [answer.status for answer in got] == [201, 413]


@pytest.fixture(scope="module")
def own_server(start_server: StartFunction) -> Process:
    """A server of acquire for the tests that flood it."""
    process = start_server("acquire")
    process.wait_until_ready()
    return process


@pytest.fixture
def own_clients(http: httpx.AsyncClient, own_server: Process, project: str) -> Clients:
    return Clients(http=http, urls={"acquire": own_server.url}, project=project)


@contextmanager
def _connections(url: str, number: int, *, saying: bytes) -> Iterator[Sequence[socket]]:
    with ExitStack() as cleanup:
        opened = [cleanup.enter_context(connected(url)) for _ in range(number)]
        for each in opened:
            each.sendall(saying)
        yield opened


async def test_bodies_that_do_not_come_in_time_are_refused_and_those_of_one_user_take_few_places(
    own_server: Process, own_clients: Clients, tenant: Tenant, token: bytes
) -> None:
    with _connections(own_server.url, 100, saying=_post(token, LAST, b"Content-Length: 50") + b"{") as slow:
        began = time.monotonic()
        answer = await own_clients.of(tenant, "m1").acquire()
        refusals = Counter((refusal.status, refusal.code) for each in slow for refusal in parsed(received(each)))
        took = time.monotonic() - began

    assert answer.status_code == 201
    assert refusals.keys() == {(408, "BODY_TOO_SLOW"), (429, "RATE_LIMITED")}
    assert AT_A_TIME <= refusals[408, "BODY_TOO_SLOW"] < 100
    assert took > BODY_WITHIN_SECONDS
    assert len(tenant.sessions()) == 1


async def test_who_hangs_up_in_the_middle_takes_no_seat(
    own_server: Process, own_clients: Clients, tenant: Tenant, token: bytes
) -> None:
    with _connections(own_server.url, 100, saying=_post(token, b"Content-Length: 50") + b"{"):
        pass

    answer = await own_clients.of(tenant, "m1").acquire()

    assert answer.status_code == 201
    assert len(tenant.sessions()) == 1


# Headers


def test_of_two_tokens_the_first_counts_and_the_other_one_never(
    url: str, token: bytes, body: bytes, tenant: Tenant, project: str
) -> None:
    owner = unsigned_token(project=project, organization_id=tenant.organization_id, user_id="olivia").encode()
    rest = (LAST, b"Content-Length: %d" % len(body))

    (taken,) = answers(url, _post(token, b"Authorization: Bearer " + owner, *rest), body)
    (refused,) = answers(url, _post(b"x.y.z", b"Authorization: Bearer " + token, *rest), body)

    assert (taken.status, refused.status, refused.code) == (201, 401, "TOKEN_INVALID")
    assert [session["user_id"] for session in tenant.sessions()] == ["m0"]


def test_of_two_media_types_the_first_counts(url: str, token: bytes, body: bytes) -> None:
    other = _post(token, LAST, b"Content-Length: %d" % len(body)).replace(
        b"application/json", b"text/plain\r\nContent-Type: application/json"
    )

    (refused,) = answers(url, other, body)

    assert (refused.status, refused.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_huge_token_is_no_token(url: str) -> None:
    (refused,) = answers(url, _post(b"a" * MB, LAST, b"Content-Length: 2") + b"{}")

    assert (refused.status, refused.code) == (401, "TOKEN_INVALID")


async def test_who_connects_directly_has_no_other_address_shown(
    start_servers: StartServers, clients: Clients, tenant: Tenant, token: bytes, body: bytes
) -> None:
    direct = start_servers("acquire", SEATLEASE_TRUSTED_PROXY_HOPS="0")["acquire"]
    rest = (LAST, b"Content-Length: %d" % len(body))

    (lied,) = answers(direct, _post(token, b"X-Forwarded-For: 6.6.6.6", *rest), body)
    shown = [session["ip_address"] for session in tenant.sessions()]
    await clients.of(tenant, hardware_id="H").release(lied.json["session_id"])
    answers(direct, _post(token, *rest), body)

    assert shown == [None]
    assert [session["ip_address"] for session in tenant.sessions()] == ["127.0.0.1"]


# Targets and methods


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        pytest.param(b"POST // HTTP/1.1", 401, "TOKEN_MISSING", id="two slashes"),
        pytest.param(b"POST /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", 401, "TOKEN_MISSING", id="upwards"),
        pytest.param(b"POST /%00 HTTP/1.1", 401, "TOKEN_MISSING", id="NUL"),
        pytest.param(b"POST /%ff HTTP/1.1", 401, "TOKEN_MISSING", id="no UTF-8"),
        pytest.param(b"POST http://elsewhere/v1/acquire HTTP/1.1", 401, "TOKEN_MISSING", id="absolute"),
        pytest.param(b"GET / HTTP/1.1\r\nUpgrade: websocket", 405, "METHOD_NOT_ALLOWED", id="another protocol"),
    ],
)
def test_a_target_leads_to_the_function_or_to_a_code_of_the_catalogue(
    url: str, line: bytes, status: int, code: str
) -> None:
    (answer,) = answers(url, line, b"\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    assert (answer.status, answer.code) == (status, code)


# The local gateway


@pytest.fixture(scope="module")
def gateway(servers: Mapping[str, Process], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway to every function, those that no client may call among them."""
    functions = {name: process.url for name, process in servers.items()}
    with gateway_to(functions, log_folder=tmp_path_factory.mktemp("gateway")) as process:
        yield process.url


def _at(gateway: str, target: str, *, host: str = "localhost") -> int:
    request = f"POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    (answer,) = answers(gateway, request.encode())
    return answer.status


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/acquire", 401),
        ("/v1/acquire/../expire_sessions", 404),
        ("/v1/%2e%2e/v1/expire_sessions", 404),
        ("/v1/acquire;/expire_sessions", 404),
        *(
            (f"/v1/{name}", 404)
            for name in ("expire_sessions", "expire%5fsessions", "reconcile", "relay_audit", "sync_user_claims")
        ),
        ("/functions/projects/p/triggers/acquire-0", 404),
        ("/functions/projects/p/triggers/reconcile-0", 404),
        ("/functions/projects/p/triggers/relay_audit-0", 400),
        ("/", 404),
    ],
)
def test_a_path_leads_to_a_function_for_clients_or_nowhere(gateway: str, target: str, status: int) -> None:
    assert _at(gateway, target) == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 401),
        ("127.0.0.1:8080", 401),
        ("localhost:8080", 401),
        ("elsewhere.example", 400),
        ("127.0.0.1.elsewhere.example", 400),
        ("", 400),
    ],
)
def test_the_gateway_answers_only_to_its_own_machines_names(gateway: str, host: str, status: int) -> None:
    # A web page can let its own name lead to 127.0.0.1, and would be taken for a page of the gateway.
    assert _at(gateway, "/v1/acquire", host=host) == status
