"""The load: each client acquires a seat, sends a heartbeat and releases, at a fixed pace or as fast as it can.

Every tenth seat is borrowed, and given back early.
"""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle

from shared.documents.rfc3339 import rfc3339
from tests.programs.bench.http import Connections, Endpoint, UnexpectedAnswer, connections
from tests.programs.bench.servers import Servers
from tests.programs.bench.tenants import Device, body_of_session

BORROWED_FOR = timedelta(hours=1)
_ONE_BORROWED_IN = 10


@dataclass(eq=False, kw_only=True, slots=True)
class Stretch:
    """What came of one stretch of it."""

    seconds: float
    durations_seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Rounds of three requests."""
        return len(self.durations_seconds) / self.seconds

    def quantile(self, percent: int) -> float:
        """How long a round took, in seconds."""
        return statistics.quantiles(self.durations_seconds, n=100)[percent - 1]


async def put_load(
    servers: Servers, clients: Sequence[Sequence[Device]], *, seconds: float, pace: float | None
) -> Stretch:
    """Let each client work for so long, on one of its devices after the other.

    They do ``pace`` rounds a second all together, or as many as they get answers. At a pace a round counts from when it
    should have begun, so a server that stands still is not spared.
    """
    stretch = Stretch(seconds=seconds)
    endpoints = [
        Endpoint(name, servers.url(name), frozenset(expected))
        for name, expected in (("acquire", {201}), ("heartbeat", {200}), ("release", {204}))
    ]
    every = None if pace is None else len(clients) / pace
    async with connections() as http:
        begins = time.perf_counter()
        await asyncio.gather(
            *(
                _work(
                    http, endpoints, devices, stretch, begins=begins + number / len(clients) * (every or 0), every=every
                )
                for number, devices in enumerate(clients)
            )
        )
    return stretch


async def _work(
    http: Connections,
    endpoints: Sequence[Endpoint],
    devices: Sequence[Device],
    stretch: Stretch,
    *,
    begins: float,
    every: float | None,
) -> None:
    acquire, heartbeat, release = endpoints
    in_turn, is_borrowed = cycle(devices), cycle([True, *[False] * (_ONE_BORROWED_IN - 1)])
    ends = begins + stretch.seconds
    due = begins
    while due < ends:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        device = next(in_turn)
        asked = _borrowing(device.acquire) if next(is_borrowed) else device.acquire
        try:
            body = body_of_session(json.loads(await acquire.post(http, asked, device.headers))["session_id"])
            await heartbeat.post(http, body, device.headers)
            await release.post(http, body, device.headers)
        except (UnexpectedAnswer, OSError) as error:
            stretch.errors[str(error) or type(error).__name__] += 1
        else:
            stretch.durations_seconds.append(time.perf_counter() - due)
        due = time.perf_counter() if every is None else due + every


def _borrowing(acquire: bytes) -> bytes:
    until = datetime.now(UTC) + BORROWED_FOR
    return json.dumps({**json.loads(acquire), "borrow_until": rfc3339(until)}).encode()
