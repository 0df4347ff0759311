"""Firestore away and back, under load: 503 within the deadline, nothing granted twice, and recovery by itself.

Paused, the emulator keeps its documents and answers nobody, as a store does that cannot be reached. Stopped, it refuses
connections and, having no disk, comes back empty: then only the way back is what is tested.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from google.cloud import firestore

from infra.local.emulators import start_firestore
from infra.local.processes import Process, free_port, stop_together
from infra.local.seed import firestore_client
from tests.support.client import Client, Clients, code_of
from tests.support.servers import StartFunction
from tests.support.tenant import Tenant

SEATS, CLIENTS = 5, 12
ANSWER_WITHIN, GRACE = 3.0, 1.5


@dataclass(kw_only=True)
class Outage:
    """An emulator that may be stopped, and functions that use it."""

    emulator: Process
    port: int
    urls: dict[str, str]
    console: firestore.Client


@dataclass(kw_only=True)
class Load:
    """Clients that acquire and release without rest, and what they met since the last look."""

    seen: Counter[str] = field(default_factory=Counter)
    slowest: float = 0
    stopped: bool = False

    async def until(self, **wanted: int) -> None:
        """Wait until every code was met so often since now."""
        self.seen.clear()
        deadline = time.monotonic() + 40
        while any(self.seen[code] < number for code, number in wanted.items()):
            assert time.monotonic() < deadline, f"waiting for {wanted}, met {self.seen}"
            await asyncio.sleep(0.05)

    async def work(self, client: Client) -> None:
        while not self.stopped:
            response = await self._timed(client.acquire())
            if response.is_success:
                await self._timed(client.release(response.json()["session_id"]))
            await asyncio.sleep(0.02)

    async def _timed(self, request: Awaitable[httpx.Response]) -> httpx.Response:
        started = time.monotonic()
        response = await request
        self.slowest = max(self.slowest, time.monotonic() - started)
        self.seen["granted" if response.is_success else code_of(response)] += 1
        return response


@pytest.fixture(scope="module")
def outages(
    start_server: StartFunction, functions_project: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outage]:
    """An emulator of this file's own, so that other tests do not feel it."""
    port = free_port()
    emulator = start_firestore(port=port, log_folder=tmp_path_factory.mktemp("outage"))
    host = f"127.0.0.1:{port}"
    told = {
        "FIRESTORE_EMULATOR_HOST": host,
        "SEATLEASE_ANSWER_WITHIN_SECONDS": str(int(ANSWER_WITHIN)),
        "SEATLEASE_STORE_TIMEOUT_SECONDS": "1",
    }
    processes = {name: start_server(name, **told) for name in ("acquire", "heartbeat", "release")}
    for process in (emulator, *processes.values()):
        process.wait_until_ready()
    console = firestore_client(project=functions_project, firestore_host=host)
    urls = {name: process.url for name, process in processes.items()}
    state = Outage(emulator=emulator, port=port, urls=urls, console=console)
    try:
        yield state
    finally:
        stop_together([*processes.values(), state.emulator])
        console.close()


@pytest.fixture
def outage(outages: Outage) -> Iterator[Outage]:
    """The same for each test, and over when it ends."""
    yield outages
    outages.emulator.signal(signal.SIGCONT)


@asynccontextmanager
async def _under_load(people: list[Client]) -> AsyncIterator[Load]:
    load = Load()
    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(load.work(person))
        try:
            yield load
        finally:
            load.stopped = True


def _people(outage: Outage, http: httpx.AsyncClient, project: str, tenant: Tenant) -> list[Client]:
    clients = Clients(http=http, urls=outage.urls, project=project)
    return [clients.of(tenant, f"m{n}", hardware_id=f"d{n}") for n in range(CLIENTS)]


async def _seated(client: Client) -> str:
    """Acquire from an emulator that has just started: on a busy machine its first answers take longer than allowed."""
    deadline = time.monotonic() + 40
    while (response := await client.acquire()).status_code == 503:
        assert time.monotonic() < deadline, response.text
    assert response.is_success, response.text
    return str(response.json()["session_id"])


def _assert_nothing_granted_twice(tenant: Tenant) -> None:
    held = tenant.open_sessions()
    assert len(held) <= SEATS
    assert tenant.counters()["total"] == len(held)
    # Replayed in the order of the grants, the trail never has more open tenures than seats.
    open_now, most = set(), 0
    order = {"session.released": 0, "session.expired": 0, "session.revoked": 0, "session.acquired": 1}
    tenures = (event for event in tenant.events() if event["type"] != "session.denied")
    for event in sorted(tenures, key=lambda e: (e["at"], order[e["type"]], e["grant_number"] or 0)):
        if event["type"] == "session.acquired":
            assert event["session_id"] not in open_now, "a tenure began twice"
            open_now.add(event["session_id"])
        else:
            open_now.remove(event["session_id"])
        most = max(most, len(open_now))
    assert most == SEATS
    assert len(open_now) == len(held)


@pytest.mark.parametrize(
    "function", ["acquire", *(pytest.param(name, marks=pytest.mark.long) for name in ("heartbeat", "release"))]
)
async def test_a_store_that_does_not_answer_is_503_within_the_deadline(
    outage: Outage, http: httpx.AsyncClient, project: str, function: str
) -> None:
    client = _people(outage, http, project, Tenant.create(outage.console, seats=SEATS, members=CLIENTS))[0]
    session_id = await _seated(client)
    outage.emulator.signal(signal.SIGSTOP)
    started = time.monotonic()

    match function:
        case "acquire":
            response = await client.acquire()
        case "heartbeat":
            response = await client.heartbeat(session_id)
        case _:
            response = await client.release(session_id)

    assert time.monotonic() - started < ANSWER_WITHIN + GRACE
    assert (response.status_code, code_of(response)) == (503, "STORE_UNAVAILABLE")
    assert response.headers["Retry-After"] == "1"
    assert response.json()["error"]["retryable"] is True


async def test_paused_and_resumed_under_load_nothing_is_granted_twice(
    outage: Outage, http: httpx.AsyncClient, project: str
) -> None:
    tenant = Tenant.create(outage.console, seats=SEATS, members=CLIENTS)

    async with _under_load(_people(outage, http, project, tenant)) as load:
        for _ in range(2):
            await load.until(granted=30, SEAT_LIMIT_REACHED=5)
            outage.emulator.signal(signal.SIGSTOP)
            await load.until(STORE_UNAVAILABLE=CLIENTS)
            outage.emulator.signal(signal.SIGCONT)
        await load.until(granted=30, SEAT_LIMIT_REACHED=5)

    assert load.slowest < ANSWER_WITHIN + GRACE
    _assert_nothing_granted_twice(tenant)


@pytest.mark.long
async def test_stopped_and_started_again_under_load_it_recovers_by_itself(
    outage: Outage, http: httpx.AsyncClient, project: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tenant = Tenant.create(outage.console, seats=SEATS, members=CLIENTS)

    async with _under_load(_people(outage, http, project, tenant)) as load:
        await load.until(granted=30, SEAT_LIMIT_REACHED=5)
        await asyncio.to_thread(outage.emulator.stop)
        await load.until(STORE_UNAVAILABLE=CLIENTS)
        outage.emulator = start_firestore(port=outage.port, log_folder=tmp_path_factory.mktemp("again"))
        await asyncio.to_thread(outage.emulator.wait_until_ready)
        await load.until(NO_ORGANIZATION=CLIENTS)
        # In a thread: what blocks this loop would be counted as the servers' slowness.
        await asyncio.to_thread(_write_again, tenant)
        await load.until(granted=30, SEAT_LIMIT_REACHED=5)

    assert load.slowest < ANSWER_WITHIN + GRACE
    _assert_nothing_granted_twice(tenant)


def _write_again(tenant: Tenant) -> None:
    """Write the tenant's documents into the emulator that came back empty, the organization last."""
    for number in range(CLIENTS):
        tenant.user(f"m{number}").set({"role": "member"})
    tenant.add_license("license-1", tenant.license_key, seats=SEATS)
    tenant.organization.set({"max_concurrent_seats": None})
