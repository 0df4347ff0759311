"""The requests that the clients repeat."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle

from tests.programs.bench.http import Connections, Endpoint, connections
from tests.programs.bench.load import Step
from tests.programs.bench.servers import Servers
from tests.programs.bench.tenants import Device, Tenant, body_of_session

_ACQUIRING_AT_A_TIME = 64


def empty_step(servers: Servers) -> Step:
    """Ask the empty function."""
    empty = Endpoint("empty", servers.url("empty"), frozenset({204}))

    async def ask(http: Connections) -> None:
        await empty.get(http)

    return ask


def cycle_step(
    servers: Servers,
    *devices: Device,
    until_granted: bool = False,
    hold_seconds: float = 0.0,
    longest_wait_seconds: float = 0.0,
) -> Step:
    """Acquire a seat, hold it and release it, on one of the devices after the other.

    ``until_granted`` asks again while the license is full, after as long as the service says, and at most
    ``longest_wait_seconds``.
    """
    acquire = Endpoint("acquire", servers.url("acquire"), frozenset({201, 409} if until_granted else {201}))
    release = Endpoint("release", servers.url("release"), frozenset({204}))
    in_turn = cycle(devices)

    async def acquire_and_release(http: Connections) -> None:
        device = next(in_turn)
        granted = json.loads(await acquire.post(http, device.acquire, device.headers))
        while "session_id" not in granted:
            if longest_wait_seconds:
                await asyncio.sleep(min(longest_wait_seconds, granted["error"]["details"]["retry_after_seconds"]))
            granted = json.loads(await acquire.post(http, device.acquire, device.headers))
        if hold_seconds:
            await asyncio.sleep(hold_seconds)
        await release.post(http, body_of_session(granted["session_id"]), device.headers)

    return acquire_and_release


def acquire_step(servers: Servers, device: Device) -> Step:
    """Acquire a seat and keep it."""
    acquire = Endpoint("acquire", servers.url("acquire"), frozenset({201}))

    async def be_granted(http: Connections) -> None:
        await acquire.post(http, device.acquire, device.headers)

    return be_granted


def refusal_step(servers: Servers, *devices: Device) -> Step:
    """Ask for a seat of a full license and be refused, on one of the devices after the other."""
    acquire = Endpoint("acquire", servers.url("acquire"), frozenset({409}))
    in_turn = cycle(devices)

    async def be_refused(http: Connections) -> None:
        device = next(in_turn)
        await acquire.post(http, device.acquire, device.headers)

    return be_refused


def locking_step(servers: Servers, tenant: Tenant, device: Device) -> Step:
    """Acquire a seat and release it, with locks."""
    acquire = Endpoint("locking acquire", servers.url("locking"), frozenset({201}))
    release = Endpoint("locking release", servers.url("locking"), frozenset({204}))
    bodies = device.locking(tenant.organization_id, "acquire"), device.locking(tenant.organization_id, "release")

    async def acquire_and_release(http: Connections) -> None:
        await acquire.post(http, bodies[0], device.headers)
        await release.post(http, bodies[1], device.headers)

    return acquire_and_release


@dataclass(eq=False, kw_only=True, slots=True)
class Heartbeats:
    """Heartbeats of many sessions in turn, and how many of them extended their lease.

    An answer tells: a heartbeat that was written has the whole lease before it, one that came too early has less.
    """

    lease_for: timedelta
    sessions: Iterator[tuple[bytes, Device]]
    answered: int = 0
    written: int = 0

    def step(self, url: str) -> Step:
        """Keep the seat of whichever session is next, by the function at this address."""
        endpoint = Endpoint("heartbeat", url, frozenset({200}))

        async def keep_the_next(http: Connections) -> None:
            body, device = next(self.sessions)
            answer = json.loads(await endpoint.post(http, body, device.headers))
            left = datetime.fromisoformat(answer["lease_expires_at"]) - datetime.fromisoformat(answer["server_time"])
            self.answered += 1
            self.written += left == self.lease_for

        return keep_the_next


async def acquire_all(servers: Servers, devices: Sequence[Device]) -> list[tuple[bytes, Device]]:
    """Have each of these devices hold its seat, and return the bodies of their heartbeats.

    Raises:
        UnexpectedAnswer: a seat was refused.
    """
    endpoint = Endpoint("acquire", servers.url("acquire"), frozenset({200, 201}))
    room = asyncio.Semaphore(_ACQUIRING_AT_A_TIME)
    async with connections() as http:

        async def acquire(device: Device) -> bytes:
            async with room:
                granted = json.loads(await endpoint.post(http, device.acquire, device.headers))
            return body_of_session(granted["session_id"])

        bodies = await asyncio.gather(*map(acquire, devices))
    return list(zip(bodies, devices, strict=True))


def heartbeats(sessions: Sequence[tuple[bytes, Device]], *, lease_for: timedelta) -> Heartbeats:
    """Send the heartbeats of the sessions round robin, beginning with the one that was acquired first."""
    return Heartbeats(lease_for=lease_for, sessions=cycle(sessions))
