"""The floods of one member of an organization, and what the servers did meanwhile.

::

    flood       |-------------------------------------------------|
                | settle: the burst is used up |    measured      |
    neighbour   |  . . . . . . . . . . . . . . . . . . . . . . .  |   another user, who asks now and then
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any, assert_never
from urllib.parse import urlsplit

from google.cloud import firestore

from tests.programs.bench.http import Connections, Endpoint, connections
from tests.programs.bench.servers import Servers
from tests.programs.bench.store_use import counted
from tests.programs.bench.tenants import Device, Tenant, body_of_session

CONNECTIONS = 64
SLOW_CONNECTIONS = 200
SETTLE_SECONDS = 4.0
"""A burst of 200 is used up long before."""

_NEIGHBOUR_EVERY_SECONDS = 0.25
_LONGEST_HARDWARE_ID = 256
_SLOWEST_ANSWER_SECONDS = 30.0
_ANY = frozenset(range(200, 600))


class Flood(StrEnum):
    """What the member does as fast as it gets answers."""

    DENIALS = "denials"
    CHURN = "churn"
    INVENTED_KEYS = "invented keys"
    SLOW_BODIES = "slow bodies"


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What there is so far: answers by function and status, documents, calls of Firestore, bytes of our logs."""

    at: float
    answers: Counter[tuple[str, int]]
    documents: int
    calls: Counter[str]
    log_bytes: int


@dataclass(eq=False, kw_only=True, slots=True)
class Caused:
    """What one flood caused in ``seconds``. ``held_seconds`` is how long slow bodies took places, all together."""

    flood: Flood
    seconds: float
    answers: Counter[tuple[str, int]]
    documents: int
    calls: Counter[str]
    log_bytes: int
    held_seconds: float = 0.0
    neighbour_seconds: list[float] = field(default_factory=list)
    neighbour: Counter[int] = field(default_factory=Counter)

    def answered(self, function: str, *statuses: int) -> int:
        """How often a function answered so."""
        return sum(self.answers[function, status] for status in statuses)


@dataclass(kw_only=True)
class Member:
    """The user who floods, on devices and with license keys that it makes up."""

    device: Device
    license_key: str
    numbers: Iterator[int] = field(default_factory=count)

    def acquire_body(self, *, invents_key: bool = False) -> bytes:
        """Ask for a seat on a device that nobody has, or with a key that no license has."""
        number = next(self.numbers)
        key = f"INVENTED-{number}" if invents_key else self.license_key
        return json.dumps({"license_key": key, "hardware_id": f"{number}-".ljust(_LONGEST_HARDWARE_ID, "x")}).encode()


@dataclass(frozen=True, kw_only=True)
class Run:
    """One flood on one set of servers, in an organization of its own. ``proxy`` counts the calls of all servers."""

    servers: Servers
    proxy: str
    database: firestore.Client
    tenant: Tenant
    flood: Flood
    seconds: float
    held: list[tuple[float, float]] = field(default_factory=list)
    """From when to when a slow body took one of the instance's places."""

    async def measure(self) -> Caused:
        """Let the flood and a neighbour ask, and count between the end of the burst and the end."""
        async with connections() as http, connections() as others:
            ends = time.monotonic() + SETTLE_SECONDS + self.seconds
            flooding = asyncio.create_task(self._flood(http, ends))
            asking = asyncio.create_task(self._neighbour(others, ends))
            await asyncio.sleep(SETTLE_SECONDS)
            before = await self._counts(http)
            await asyncio.sleep(max(0.0, ends - time.monotonic()))
            after = await self._counts(http)
            await flooding
            neighbour = await asking
        return Caused(
            flood=self.flood,
            seconds=after.at - before.at,
            answers=after.answers - before.answers,
            documents=after.documents - before.documents,
            calls=after.calls - before.calls,
            log_bytes=after.log_bytes - before.log_bytes,
            held_seconds=sum(max(0.0, min(end, after.at) - max(begin, before.at)) for begin, end in self.held),
            neighbour_seconds=[took for took, _ in neighbour],
            neighbour=Counter(status for _, status in neighbour),
        )

    def _asks(self) -> Callable[[Connections], Coroutine[Any, Any, object]]:
        """What each of the member's connections does over and over."""
        member = Member(device=self.tenant.devices[0], license_key=f"BENCH-{self.tenant.organization_id}")
        match self.flood:
            case Flood.SLOW_BODIES:
                return partial(self._send_slowly, member)
            case Flood.CHURN:
                return partial(self._churn, member)
            case Flood.DENIALS | Flood.INVENTED_KEYS:
                return partial(self._acquire, member)
            case _:
                assert_never(self.flood)

    async def _flood(self, http: Connections, ends: float) -> None:
        asks = self._asks()

        async def connection() -> None:
            while time.monotonic() < ends:
                with suppress(OSError):
                    await asks(http)

        number = SLOW_CONNECTIONS if self.flood is Flood.SLOW_BODIES else CONNECTIONS
        await asyncio.gather(*(connection() for _ in range(number)))

    async def _acquire(self, member: Member, http: Connections) -> bytes:
        body = member.acquire_body(invents_key=self.flood is Flood.INVENTED_KEYS)
        return await self._endpoint("acquire").post(http, body, member.device.headers)

    async def _churn(self, member: Member, http: Connections) -> None:
        answer = json.loads(await self._acquire(member, http))
        if "session_id" in answer:
            body = body_of_session(answer["session_id"])
            while b"RATE_LIMITED" in await self._endpoint("release").post(http, body, member.device.headers):
                pass

    async def _send_slowly(self, member: Member, http: Connections) -> None:
        """Send the head and one byte of the body, and wait for the end of it."""
        place, began = urlsplit(self.servers.url("acquire")), time.monotonic()
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            lines = [f"{name}: {value}" for name, value in member.device.headers.items()]
            head = ["POST / HTTP/1.1", f"Host: {place.netloc}", *lines, "Connection: close", "Content-Length: 50"]
            writer.write("\r\n".join([*head, "", "{"]).encode())
            async with asyncio.timeout(_SLOWEST_ANSWER_SECONDS):
                line = await reader.readline()
            if line:
                status = int(line.split()[1])
                http.answered["acquire", status] += 1
                if status != HTTPStatus.TOO_MANY_REQUESTS:
                    self.held.append((began, time.monotonic()))
        finally:
            writer.close()

    async def _neighbour(self, http: Connections, ends: float) -> list[tuple[float, int]]:
        """Ask for the seat of another user of the same organization now and then."""
        device, seen = self.tenant.devices[1], []
        while time.monotonic() < ends:
            began = time.monotonic()
            before = http.answered.copy()
            await self._endpoint("acquire").post(http, device.acquire, device.headers)
            ((_, status),) = http.answered - before
            seen.append((time.monotonic() - began, status))
            await asyncio.sleep(_NEIGHBOUR_EVERY_SECONDS)
        return seen

    def _endpoint(self, name: str) -> Endpoint:
        return Endpoint(name, self.servers.url(name), _ANY)

    async def _counts(self, http: Connections) -> Counts:
        return await asyncio.to_thread(self._count, http.answered.copy())

    def _count(self, answers: Counter[tuple[str, int]]) -> Counts:
        calls = Counter(counted(self.proxy, delay_seconds=0))
        at = time.monotonic()
        organization = self.database.document(f"organizations/{self.tenant.organization_id}")
        documents = sum(
            int(organization.collection(name).count().get()[0][0].value) for name in ("sessions", "audit_events")
        )
        logs = [self.servers.running[name].log for name in ("acquire", "release")]
        return Counts(
            at=at,
            answers=answers,
            documents=documents,
            calls=calls,
            log_bytes=sum(log.stat().st_size for log in logs),
        )
