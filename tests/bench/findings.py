"""What the measurements say: ratios within each round, how long a run took, and whether that is what is asked for."""

import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tests.bench.expiry import LAPSED_SESSIONS, run_limit_seconds
from tests.bench.measurement import Measurement, Work
from tests.bench.parts import Part
from tests.bench.rounds import CLIENTS, CLIENTS_OF_HEARTBEATS, CLIENTS_OF_LOCKING

_JUDGED_CLIENTS = 32
_REQUESTS_PER_CYCLE = 2

Ratio = Callable[[Measurement, Measurement], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A figure, its value in each round that has one, and the target for its median if there is one."""

    name: str
    values: tuple[float, ...]
    at_least: float | None = None
    below: float | None = None

    @property
    def median(self) -> float:
        """The median over the rounds; not a number when no round has a value."""
        return statistics.median(self.values) if self.values else float("nan")

    @property
    def is_target(self) -> bool:
        """Whether it is judged."""
        return self.at_least is not None or self.below is not None

    @property
    def is_met(self) -> bool:
        """Whether the median is what the target asks; what could not be measured is not."""
        if not self.values:
            return not self.is_target
        high_enough = self.at_least is None or self.median >= self.at_least
        return high_enough and (self.below is None or self.median < self.below)


def findings(measurements: Sequence[Measurement], parts: Collection[Part]) -> list[Finding]:
    """Compare what was measured; what these parts should have measured and did not is missed."""
    of_product = [each for each in measurements if each.work is not Work.LOCKING]
    return [
        *(_of_requests(measurements) if Part.REQUESTS in parts else []),
        *([_run_of_expire(measurements)] if Part.EXPIRE in parts else []),
        Finding(
            name="errors, without those of locking",
            values=(float(sum(each.error_count for each in of_product)),),
            below=1,
        ),
    ]


def _of_requests(measurements: Sequence[Measurement]) -> list[Finding]:
    written = [each.written for each in measurements if each.written is not None]
    return [
        *(_cycles_to_empty(measurements, clients) for clients in CLIENTS),
        *(_cycles_to_locking(measurements, clients) for clients in CLIENTS_OF_LOCKING),
        *(_heartbeats_to_empty(measurements, clients) for clients in CLIENTS_OF_HEARTBEATS),
        Finding(name="heartbeats written, least share", values=tuple([min(written)] if written else []), at_least=0.99),
        *(_tail(measurements, clients) for clients in CLIENTS),
    ]


def _run_of_expire(measurements: Sequence[Measurement]) -> Finding:
    return Finding(
        name=f"seconds of one run of expire, {LAPSED_SESSIONS:,} lapsed sessions",
        # A run that fails may do so quickly; that is not the figure.
        values=tuple(each.seconds for each in measurements if each.work is Work.EXPIRE and not each.errors),
        below=run_limit_seconds(),
    )


def _cycles_to_empty(measurements: Sequence[Measurement], clients: int) -> Finding:
    def ratio(ours: Measurement, empty: Measurement) -> float:
        return ours.per_second / (empty.per_second / _REQUESTS_PER_CYCLE)

    return Finding(
        name=f"cycles / pairs of empty requests, {clients} clients",
        values=_within_rounds(measurements, clients, (Work.CYCLES, Work.EMPTY), ratio),
        at_least=0.5 if clients == _JUDGED_CLIENTS else None,
    )


def _cycles_to_locking(measurements: Sequence[Measurement], clients: int) -> Finding:
    def ratio(ours: Measurement, locking: Measurement) -> float:
        # When it completed none, it is taken to have been about to complete one.
        return ours.per_second / (max(1, locking.completed) / locking.seconds)

    return Finding(
        name=f"cycles / cycles with locks, {clients} clients",
        values=_within_rounds(measurements, clients, (Work.CYCLES, Work.LOCKING), ratio),
        at_least=20 if clients == _JUDGED_CLIENTS else None,
    )


def _heartbeats_to_empty(measurements: Sequence[Measurement], clients: int) -> Finding:
    def ratio(ours: Measurement, empty: Measurement) -> float:
        return ours.per_second / empty.per_second

    return Finding(
        name=f"heartbeats / empty requests, {clients} clients",
        values=_within_rounds(measurements, clients, (Work.HEARTBEATS, Work.EMPTY), ratio),
        at_least=0.9 if clients == _JUDGED_CLIENTS else None,
    )


def _tail(measurements: Sequence[Measurement], clients: int) -> Finding:
    values = tuple(
        each.p99_seconds / each.p50_seconds
        for each in measurements
        if each.work is Work.CYCLES and each.clients == clients and each.p99_seconds and each.p50_seconds
    )
    return Finding(
        name=f"p99 / p50 of a cycle, {clients} clients", values=values, below=10 if clients == _JUDGED_CLIENTS else None
    )


def _within_rounds(
    measurements: Sequence[Measurement], clients: int, pair: tuple[Work, Work], ratio: Ratio
) -> tuple[float, ...]:
    """Compare two kinds of work in each round that measured both, and the second did anything."""
    by_round: dict[int, dict[Work, Measurement]] = {}
    for each in measurements:
        if each.clients == clients:
            by_round.setdefault(each.round, {})[each.work] = each
    ours, other = pair
    pairs = [(found[ours], found[other]) for found in by_round.values() if ours in found and other in found]
    return tuple(ratio(*both) for both in pairs if both[1].completed or other is Work.LOCKING)
