"""What is counted of a load."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from tests.programs.bench.cpu import CpuMeter
from tests.programs.bench.http import Connections
from tests.programs.bench.load import Phase, put_load

NEVER = asyncio.Event()


@dataclass(frozen=True, slots=True)
class EndOfMeasuring(CpuMeter):
    """Is read when measuring begins and when it ends, and tells of the end."""

    reads: Iterator[int] = field(default_factory=lambda: count(1))
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def read(self) -> dict[str, float]:
        if next(self.reads) == 2:
            self.told.set()
        return {}


async def test_who_waits_longer_than_is_measured_is_not_left_out_of_the_latencies() -> None:
    end = EndOfMeasuring({})

    async def waits(_http: Connections) -> None:
        await end.told.wait()

    load = await put_load([waits], Phase(settle_seconds=0, seconds=0.01, drain_seconds=30), end)

    assert (load.completed, len(load.durations_seconds), load.unfinished) == (0, 1, 0)


async def test_what_ends_before_it_is_measured_counts_for_nothing() -> None:
    asked = count()

    async def once(_http: Connections) -> None:
        if next(asked):
            await NEVER.wait()

    load = await put_load([once], Phase(settle_seconds=0.01, seconds=0.01, drain_seconds=0), EndOfMeasuring({}))

    assert (load.completed, load.durations_seconds, load.unfinished) == (0, [], 1)


async def test_nothing_is_measured_before_each_client_has_been_answered_once() -> None:
    answer, answered = asyncio.Event(), Counter[bool]()

    async def slow_at_first(_http: Connections) -> None:
        await answer.wait()
        await quick(_http)

    async def quick(_http: Connections) -> None:
        await asyncio.sleep(0.001)
        answered[answer.is_set()] += 1

    end = EndOfMeasuring({})
    phase = Phase(settle_seconds=0.001, seconds=0.05, drain_seconds=30)
    loading = asyncio.create_task(put_load([slow_at_first, quick], phase, end))
    await asyncio.sleep(0.2)
    assert answered[False] > 1
    assert not end.told.is_set()

    answer.set()
    load = await loading

    assert load.completed
    assert len(load.durations_seconds) < answered[True]  # the slow one's first is not among them
    assert load.unfinished == 0
