"""The order of the measurements. Each round measures the compared loads one right after the other."""

import math
from collections.abc import Callable, Iterator
from functools import partial

from tests.programs.bench.bench import Bench
from tests.programs.bench.measurement import Measurement, Work
from tests.programs.bench.plan import ANSWERING_PROCESSES, JUDGED_CLIENTS, Plan

_STILL_WARMING = 0.95
_IN_VAIN = 6
_HEARTBEATS_TO_EMPTY, _HEARTBEATS_TO_CYCLES = 1.6, 3.0
"""How many heartbeats to expect for each request of the empty function, and for each cycle: their lease has to suit."""


LOADS = (Work.CYCLES, Work.REFUSALS, Work.HEARTBEATS)
"""The loads of the part requests."""


def warm_up(bench: Bench, plan: Plan, work: Work) -> None:
    """Put one of the loads, unrecorded: Java compiles, connections open, tokens get known."""
    warming = bench.in_round(0, seconds=plan.warm_up_seconds)
    expected = _heartbeats_to_expect(warming.empty(JUDGED_CLIENTS)) if work is Work.HEARTBEATS else 0.0
    _warm_up(plan, lambda: put(work, warming, JUDGED_CLIENTS, expected_heartbeats=expected))


def _heartbeats_to_expect(empty: Measurement) -> float:
    return _HEARTBEATS_TO_EMPTY * empty.per_second


def put(
    work: Work, bench: Bench, clients: int, *, expected_heartbeats: float, processes: int = ANSWERING_PROCESSES
) -> Measurement:
    """Put one of the loads. Cycles have one process of acquire and one of release, the others so many of theirs."""
    if work is Work.CYCLES:
        return bench.cycles(clients)
    if work is Work.REFUSALS:
        return bench.refusals(clients, processes=processes)
    return bench.heartbeats(clients, expected_per_second=expected_heartbeats, processes=processes)


def warm_up_processes(bench: Bench, plan: Plan) -> None:
    """Load all processes, unrecorded."""
    warming = bench.in_round(0, seconds=plan.warm_up_seconds)
    _warm_up(plan, partial(warming.cycles, JUDGED_CLIENTS))
    cycles = warming.cycles(JUDGED_CLIENTS, processes=max(plan.processes))
    if plan.processes_of_heartbeats:
        processes = max(plan.processes_of_heartbeats)
        expected = _HEARTBEATS_TO_CYCLES * cycles.per_second
        warming.heartbeats(JUDGED_CLIENTS, expected_per_second=expected, processes=processes)


def _warm_up(plan: Plan, measure: Callable[[], Measurement]) -> None:
    """Measure until it costs the emulator no less processor time than before: Java takes as long as it is let."""
    cheapest, in_vain = math.inf, 0
    for _ in range(plan.max_warm_ups):
        cost = _cost_to_the_emulator(measure())
        in_vain = 0 if cost < _STILL_WARMING * cheapest else in_vain + 1
        cheapest = min(cheapest, cost)
        if in_vain == _IN_VAIN:
            break


def _cost_to_the_emulator(load: Measurement) -> float:
    """The emulator's share of the processors for one of what was done; without ``/proc``, the time that one takes."""
    return load.cpu.get("firestore", 1.0) / max(1, load.completed)


def run_rounds(bench: Bench, plan: Plan, work: Work) -> Iterator[Measurement]:
    """Measure one of the loads round after round.

    The locking function comes last in the last round: what it leaves waiting in the emulator disturbs nobody then.
    """
    for number in range(1, plan.rounds + 1):
        now = bench.in_round(number, seconds=plan.seconds)
        for clients in plan.clients_of(work):
            empty = now.empty(clients, beside=work)
            yield empty
            yield put(work, now, clients, expected_heartbeats=_heartbeats_to_expect(empty))
        if work is Work.CYCLES and number == plan.rounds:
            for clients in plan.clients_of_locking:
                yield now.locking(clients)


def run_rounds_of_processes(bench: Bench, plan: Plan) -> Iterator[Measurement]:
    """Measure the same load on one process and on several."""
    for number in range(1, plan.rounds + 1):
        now = bench.in_round(number, seconds=plan.seconds)
        fastest = 0.0
        for clients in plan.clients_of_processes:
            for processes in plan.processes:
                cycles = now.cycles(clients, processes=processes, work=Work.SPREAD_CYCLES)
                fastest = max(fastest, cycles.per_second)
                yield cycles
        for processes in plan.processes_of_heartbeats:
            yield now.heartbeats(
                JUDGED_CLIENTS,
                expected_per_second=_HEARTBEATS_TO_CYCLES * fastest,
                processes=processes,
                work=Work.SPREAD_HEARTBEATS,
            )
