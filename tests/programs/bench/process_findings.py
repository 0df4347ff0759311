"""Findings about several processes of a function that work for one organization."""

from collections.abc import Iterator, Sequence

from tests.programs.bench.finding import Finding, by_rate, within_rounds
from tests.programs.bench.measurement import Measurement, Work
from tests.programs.bench.plan import JUDGED_CLIENTS, Plan

_JUDGED_PROCESSES = 4
_TO_ONE = 0.6
_P99_SECONDS = 2.0


def findings_of_processes(measurements: Sequence[Measurement], plan: Plan) -> Iterator[Finding]:
    """Compare the throughput of all of them with that of one, within each round, and look at who waits longest."""

    def of(work: Work, processes: int, clients: int) -> list[Measurement]:
        spread = (each for each in measurements if each.work is work and each.processes == processes)
        return [each for each in spread if each.clients == clients]

    for clients in plan.clients_of_processes:
        for processes in plan.processes:
            cycles = of(Work.SPREAD_CYCLES, processes, clients)
            if processes > 1:
                yield Finding(
                    name=f"cycles / cycles of one process, {processes} processes, {clients} clients",
                    values=within_rounds(cycles, of(Work.SPREAD_CYCLES, 1, clients), by_rate),
                    at_least=_TO_ONE if processes == _JUDGED_PROCESSES else None,
                )
            waited = tuple(each.p99_seconds for each in cycles if each.p99_seconds is not None)
            name = f"p99 of a cycle in seconds, processes: {processes}, {clients} clients"
            yield Finding(name=name, values=waited, below=_P99_SECONDS)
    for processes in plan.processes_of_heartbeats:
        if processes > 1:
            one = of(Work.SPREAD_HEARTBEATS, 1, JUDGED_CLIENTS)
            heartbeats = within_rounds(of(Work.SPREAD_HEARTBEATS, processes, JUDGED_CLIENTS), one, by_rate)
            yield Finding(name=f"heartbeats / heartbeats of one process, {processes} processes", values=heartbeats)
