"""Findings about requests: compared with the empty function and the locking function, and how even waiting times are.

E is the rate of the empty function on functions-framework's default, threaded server: one process, 32 clients.
"""

from collections.abc import Iterator, Mapping, Sequence

from tests.programs.bench.finding import Finding, by_rate, tail, within_rounds
from tests.programs.bench.measurement import Measurement, Work
from tests.programs.bench.plan import JUDGED_CLIENTS, Plan

_REQUESTS_PER_CYCLE = 2
_CYCLES_TO_PAIRS: Mapping[int, float] = {32: 1.0, 64: 1.0, 128: 0.9}
"""By clients, what cycles have to come to, in pairs of requests of the empty function: E/2."""

_REFUSALS_TO_EMPTY = 1.2
_HEARTBEATS_TO_EMPTY, _AIM_OF_HEARTBEATS = 1.6, 2.4
_CYCLES_TO_LOCKING = 20
_TAIL = 6
_WRITTEN = 0.99


def findings_of_requests(measurements: Sequence[Measurement], plan: Plan) -> Iterator[Finding]:
    """Compare within each round."""

    def of(work: Work, clients: int, *, beside: Work | None = None) -> list[Measurement]:
        of_work = (each for each in measurements if each.work is work and each.beside is beside)
        return [each for each in of_work if each.clients == clients]

    for clients in plan.clients:
        cycles = of(Work.CYCLES, clients)
        if clients in _CYCLES_TO_PAIRS:
            yield Finding(
                name=f"cycles / (E/2), {clients} clients",
                values=within_rounds(cycles, of(Work.EMPTY, JUDGED_CLIENTS, beside=Work.CYCLES), _cycles_to_pairs),
                beside=Work.EMPTY,
                at_least=_CYCLES_TO_PAIRS[clients],
            )
        if clients != JUDGED_CLIENTS:
            yield Finding(
                name=f"cycles / pairs of empty requests, {clients} clients of both",
                values=within_rounds(cycles, of(Work.EMPTY, clients, beside=Work.CYCLES), _cycles_to_pairs),
                beside=Work.EMPTY,
            )
    for clients in plan.clients_of_locking:
        yield Finding(
            name=f"cycles / cycles with locks, {clients} clients",
            values=within_rounds(of(Work.CYCLES, clients), of(Work.LOCKING, clients), _to_locking),
            beside=Work.LOCKING,
            at_least=_CYCLES_TO_LOCKING if clients == JUDGED_CLIENTS else None,
        )
    for clients in plan.clients_of_refusals:
        yield Finding(
            name=f"refusals / E, {clients} clients",
            values=within_rounds(
                of(Work.REFUSALS, clients), of(Work.EMPTY, JUDGED_CLIENTS, beside=Work.REFUSALS), by_rate
            ),
            beside=Work.EMPTY,
            at_least=_REFUSALS_TO_EMPTY,
        )
    for clients in plan.clients_of_heartbeats:
        is_judged = clients == JUDGED_CLIENTS
        yield Finding(
            name=f"heartbeats / E, {clients} clients",
            values=within_rounds(
                of(Work.HEARTBEATS, clients), of(Work.EMPTY, JUDGED_CLIENTS, beside=Work.HEARTBEATS), by_rate
            ),
            beside=Work.EMPTY,
            at_least=_HEARTBEATS_TO_EMPTY if is_judged else None,
            aim=_AIM_OF_HEARTBEATS if is_judged else None,
        )
    written = [each.written for each in measurements if each.work is Work.HEARTBEATS and each.written is not None]
    least = (min(written),) if written else ()
    yield Finding(name="heartbeats written, least share", values=least, at_least=_WRITTEN)
    for work, asked in _latencies(plan):
        for clients in asked:
            below = _TAIL if clients >= JUDGED_CLIENTS else None
            yield Finding(name=f"p99 / p50, {work}, {clients} clients", values=tail(of(work, clients)), below=below)


def _latencies(plan: Plan) -> Iterator[tuple[Work, Sequence[int]]]:
    yield Work.CYCLES, plan.clients
    yield Work.REFUSALS, plan.clients_of_refusals
    yield Work.HEARTBEATS, plan.clients_of_heartbeats


def _cycles_to_pairs(ours: Measurement, empty: Measurement) -> float:
    return ours.per_second / (empty.per_second / _REQUESTS_PER_CYCLE)


def _to_locking(ours: Measurement, locking: Measurement) -> float:
    # When it completed none, it is taken to have been about to complete one.
    return ours.per_second / (max(1, locking.completed) / locking.seconds)
