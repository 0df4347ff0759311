"""Findings of the part store20: about seats that run short, a store that takes its time, and calls."""

from collections.abc import Iterator, Sequence

from tests.programs.bench.finding import Finding, by_rate, within_rounds
from tests.programs.bench.measurement import Measurement, Work
from tests.programs.bench.plan import (
    JUDGED_CLIENTS,
    MORE_THAN_SEATS,
    STORE_DELAYS_SECONDS,
    STORE_PROCESSES,
    WITH_A_SEAT_EACH,
)

_JUST_FULL_TO_ROOM, _JUST_FULL_TAIL = 0.7, 4
_CALLS_OF_REFUSAL, _CALLS_OF_FIRST = 2, 3
_QUERIES_PER_SECOND = 4
"""An instance examines a full license once a second, with two queries; a load of 3.5 s may have begun four times.
All other refusals have none. If each group of refusals had them, there would be several times as many."""

_P99_SECONDS = {1: 0.15, 4: 1.0}
_TO_ONE = {4: 0.6}


def findings_of_store20(measurements: Sequence[Measurement]) -> Iterator[Finding]:
    """Compare within each round, without and with the delay."""
    for delay in STORE_DELAYS_SECONDS:
        of_delay = [each for each in measurements if each.store is not None and each.store.delay_seconds == delay]
        yield from _of_calls(of_delay, f"{1000 * delay:.0f} ms")
    yield from _of_processes(of_delay, f"{1000 * delay:.0f} ms")


def _of_calls(measurements: Sequence[Measurement], delay: str) -> Iterator[Finding]:
    just_full = _of(measurements, Work.JUST_FULL, MORE_THAN_SEATS)
    yield Finding(
        name=f"cycles of {MORE_THAN_SEATS} clients / of {WITH_A_SEAT_EACH}, 50 seats, {delay}",
        values=within_rounds(just_full, _of(measurements, Work.CYCLES, WITH_A_SEAT_EACH), by_rate),
        at_least=_JUST_FULL_TO_ROOM,
    )
    yield Finding(
        name=f"p99 / p50 of acquire, {MORE_THAN_SEATS} clients, 50 seats, {delay}",
        values=tuple(
            each.store.acquire_p99_seconds / each.store.acquire_p50_seconds
            for each in just_full
            if each.store is not None and each.store.acquire_p99_seconds and each.store.acquire_p50_seconds
        ),
        below=_JUST_FULL_TAIL,
    )
    refusals = [each.store for each in _of(measurements, Work.REFUSALS, JUDGED_CLIENTS) if each.store is not None]
    yield Finding(
        name=f"calls of a refusal, {delay}",
        values=tuple(each.each(each.calls) for each in refusals),
        at_most=_CALLS_OF_REFUSAL,
    )
    yield Finding(
        name=f"queries a second of refusals, {delay}",
        values=tuple(each.queries / each.seconds for each in refusals),
        at_most=_QUERIES_PER_SECOND,
    )
    first = [each.store for each in _of(measurements, Work.FIRST, 1) if each.store is not None]
    yield Finding(
        name=f"calls of the first acquire of an organization, {delay}",
        values=tuple(each.each(each.calls) for each in first),
        at_most=_CALLS_OF_FIRST,
    )


def _of_processes(measurements: Sequence[Measurement], delay: str) -> Iterator[Finding]:
    one = _of(measurements, Work.CYCLES, JUDGED_CLIENTS)
    for processes in STORE_PROCESSES:
        cycles = _of(measurements, Work.CYCLES, JUDGED_CLIENTS, processes=processes)
        what = f"processes: {processes}, {JUDGED_CLIENTS} clients, {delay}"
        if processes > 1:
            yield Finding(
                name=f"cycles / cycles of one process, {what}",
                values=within_rounds(cycles, one, by_rate),
                at_least=_TO_ONE.get(processes),
            )
        waited = (each.store.acquire_p99_seconds for each in cycles if each.store is not None)
        yield Finding(
            name=f"p99 of acquire in seconds, {what}",
            values=tuple(each for each in waited if each is not None),
            below=_P99_SECONDS.get(processes),
        )


def _of(measurements: Sequence[Measurement], work: Work, clients: int, *, processes: int = 1) -> list[Measurement]:
    of_work = (each for each in measurements if each.work is work and each.clients == clients)
    return [each for each in of_work if each.processes == processes]
