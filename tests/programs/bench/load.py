"""Closed-loop load: clients that each ask, wait for the answer, and ask again.

::

    clients    |-------------------------------------------------------------------|
               | first answers | settle, unrecorded |   measured   | drain: last answers come in
    CPU read                                        ^              ^

The first answers include work that is done once: each instance finds the license of a key with a query. The emulator's
queries take longer the more it has stored, half a second after some minutes. Firestore's do not.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.programs.bench.cpu import CpuMeter, shares
from tests.programs.bench.http import Connections, UnexpectedAnswer, connections
from tests.programs.bench.store_use import StoreUse

Step = Callable[[Connections], Awaitable[None]]
"""What a client does over and over; it raises when an answer is not the expected one."""

_PAUSE_AFTER_ERROR_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """How long each part of a load lasts.

    ``settle_seconds`` count from when each client has been answered once, which is waited for as long as for the last
    answers; with 0 nothing is waited for.
    """

    settle_seconds: float
    seconds: float
    drain_seconds: float


@dataclass(eq=False, kw_only=True, slots=True)
class Load:
    """What came of it.

    ``durations_seconds`` are those of everything that was under way while it was measured: what takes longer than that
    must not be missing. ``errors`` are those of all three parts, by their text; ``answered`` are all answers, by
    function and status, and ``acquire_seconds`` how long those of acquire took. ``unfinished`` clients were cut off.
    """

    completed: int = 0
    durations_seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    unfinished: int = 0
    cpu: dict[str, float] = field(default_factory=dict)
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    acquire_seconds: Sequence[float] = ()
    store: StoreUse | None = None
    measuring: bool = False
    ending: bool = False


async def put_load(steps: Sequence[Step], phase: Phase, meter: CpuMeter) -> Load:
    """Let one client run for each step, and measure the middle part. ``completed`` is what completes in it."""
    load = Load()
    async with connections() as http:
        load.answered, load.acquire_seconds = http.answered, http.seconds["acquire"]
        answered = [asyncio.Event() for _ in steps]
        clients = [
            asyncio.create_task(_client(step, http, load, each)) for step, each in zip(steps, answered, strict=True)
        ]
        try:
            if phase.settle_seconds:
                with suppress(TimeoutError):  # who is not answered even then is among the unfinished
                    async with asyncio.timeout(phase.drain_seconds):
                        for each in answered:
                            await each.wait()
                await asyncio.sleep(phase.settle_seconds)
            before, began = meter.read(), time.perf_counter()
            load.measuring = True
            await asyncio.sleep(phase.seconds)
            load.measuring, load.ending = False, True
            load.seconds = time.perf_counter() - began
            load.cpu = shares(before, meter.read(), seconds=load.seconds)
            done, unfinished = await asyncio.wait(clients, timeout=phase.drain_seconds)
            load.unfinished = len(unfinished)
            for client in done:
                client.result()
        finally:
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
    return load


async def _client(step: Step, http: Connections, load: Load, answered: asyncio.Event) -> None:
    while not load.ending:
        await _once(step, http, load)
        answered.set()


async def _once(step: Step, http: Connections, load: Load) -> None:
    began = time.perf_counter()
    try:
        await step(http)
    except (UnexpectedAnswer, OSError) as error:
        load.errors[str(error) or type(error).__name__] += 1
        await asyncio.sleep(_PAUSE_AFTER_ERROR_SECONDS)
    else:
        load.completed += load.measuring
        if load.measuring or load.ending:
            load.durations_seconds.append(time.perf_counter() - began)


async def in_turn(steps: Sequence[Step], meter: CpuMeter) -> Load:
    """Do each step once, one after the other."""
    load = Load(measuring=True)
    async with connections() as http:
        load.answered, load.acquire_seconds = http.answered, http.seconds["acquire"]
        before, began = meter.read(), time.perf_counter()
        for step in steps:
            await _once(step, http, load)
        load.seconds = time.perf_counter() - began
        load.cpu = shares(before, meter.read(), seconds=load.seconds)
    return load
