"""Connections that stay open and say little, or say much and mean nothing: others are answered as ever."""

import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from infra.local.tokens import unsigned_token
from shared.edge.identity import AT_A_TIME
from shared.edge.requests import BODY_WITHIN_SECONDS
from tests.programs.bench.proc import is_there, resident_bytes
from tests.support.client import Clients
from tests.support.raw import answers, connected, parsed, received
from tests.support.servers import StartFunction
from tests.support.tenant import Tenant

IDLE = 10_000
FILES_OF_OURS = 1_000
"""What this process and the server have open besides."""

KB, MB = 1_024, 1_024 * 1_024


@pytest.fixture(scope="module")
def many_files() -> Iterator[None]:
    """Allow this process, and what it starts, as many open files as the machine does."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def server(start_server: StartFunction, many_files: None) -> Process:  # noqa: ARG001 it has to be allowed to begin with
    """A server of acquire for these tests alone."""
    process = start_server("acquire")
    process.wait_until_ready()
    return process


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console, seats=50)


@pytest.fixture
def clients(http: httpx.AsyncClient, server: Process, project: str) -> Clients:
    """Makes clients that talk to the server above."""
    return Clients(http=http, urls={"acquire": server.url}, project=project)


def _head(project: str, tenant: Tenant, *headers: bytes) -> bytes:
    token = unsigned_token(project=project, organization_id=tenant.organization_id, user_id="m0").encode()
    usual = (b"POST / HTTP/1.1", b"Host: x", b"Content-Type: application/json", b"Authorization: Bearer " + token)
    return b"\r\n".join([*usual, *headers, b"", b""])


@contextmanager
def _connections(url: str, number: int, *, saying: bytes = b"") -> Iterator[Sequence[socket.socket]]:
    with ExitStack() as cleanup:
        opened = [cleanup.enter_context(connected(url)) for _ in range(number)]
        for each in opened:
            each.sendall(saying)
        yield opened


def _are_open(connections: Sequence[socket.socket]) -> bool:
    """Whether the server has closed none of them and sent nothing."""
    for each in connections:
        each.setblocking(False)  # noqa: FBT003 the standard library's
        try:
            each.recv(1)
        except BlockingIOError:
            continue
        return False
    return True


@pytest.mark.skipif(not is_there(), reason="this system has no /proc to read a process's memory from")
async def test_10000_idle_connections_cost_little_and_keep_nobody_waiting(
    server: Process, clients: Clients, tenant: Tenant
) -> None:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < IDLE + FILES_OF_OURS:
        pytest.skip(f"this machine allows a process {allowed} open files, and {IDLE} connections need more")
    await clients.of(tenant).acquired()
    before = resident_bytes(server.popen.pid)

    with _connections(server.url, IDLE) as idle:
        began = time.monotonic()
        answer = await clients.of(tenant, "m1").acquire()
        took, grown = time.monotonic() - began, resident_bytes(server.popen.pid) - before
        assert _are_open(idle)

    assert answer.status_code == 201
    assert took < 10
    assert grown < IDLE * 20 * KB


async def test_who_sends_headers_byte_by_byte_keeps_nobody_waiting(
    server: Process, clients: Clients, tenant: Tenant, project: str
) -> None:
    with _connections(server.url, 200, saying=_head(project, tenant)[:-4]) as slow:
        for each in slow[:10]:
            each.sendall(b"\r")
        answer = await clients.of(tenant, "m1").acquire()
        assert _are_open(slow)

    assert answer.status_code == 201


async def test_bodies_that_do_not_come_in_time_are_refused_and_those_of_one_user_take_few_places(
    server: Process, clients: Clients, tenant: Tenant, project: str
) -> None:
    head = _head(project, tenant, b"Connection: close", b"Content-Length: 50")
    with _connections(server.url, 100, saying=head + b"{") as slow:
        began = time.monotonic()
        answer = await clients.of(tenant, "m1").acquire()
        refusals = Counter((refusal.status, refusal.code) for each in slow for refusal in parsed(received(each)))
        took = time.monotonic() - began

    assert answer.status_code == 201
    assert refusals.keys() == {(408, "BODY_TOO_SLOW"), (429, "RATE_LIMITED")}
    assert AT_A_TIME <= refusals[408, "BODY_TOO_SLOW"] < 100
    assert took > BODY_WITHIN_SECONDS
    assert len(tenant.sessions()) == 1


@pytest.mark.parametrize("headers", [[b"X: " + b"a" * 4 * MB], [b"X: a"] * 50_000], ids=["one", "fifty thousand"])
async def test_huge_headers_are_no_fault_of_ours(
    server: Process, clients: Clients, tenant: Tenant, project: str, headers: Sequence[bytes]
) -> None:
    request = _head(project, tenant, *headers, b"Connection: close", b"Content-Length: 2") + b"{}"

    refused = [answers(server.url, request) for _ in range(5)]

    assert {(answer.status, answer.code) for (answer,) in refused} == {(400, "INVALID_REQUEST")}
    assert (await clients.of(tenant).acquire()).status_code == 201


async def test_a_huge_token_is_no_token(server: Process, clients: Clients, tenant: Tenant, project: str) -> None:
    request = _head(project, tenant, b"Connection: close", b"Content-Length: 2").replace(
        b"Bearer ", b"Bearer " + b"a" * MB
    )

    (refused,) = answers(server.url, request + b"{}")

    assert (refused.status, refused.code) == (401, "TOKEN_INVALID")
    assert (await clients.of(tenant).acquire()).status_code == 201


async def test_who_hangs_up_in_the_middle_takes_no_seat(
    server: Process, clients: Clients, tenant: Tenant, project: str
) -> None:
    head = _head(project, tenant, b"Content-Length: 50")
    with _connections(server.url, 100, saying=head + b"{"):
        pass

    answer = await clients.of(tenant, "m1").acquire()

    assert answer.status_code == 201
    assert len(tenant.sessions()) == 1
