"""One measurement: the load, the number of clients, and the result."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.programs.bench.load import Load
from tests.programs.bench.percentile import percentile
from tests.programs.bench.store_use import StoreUse


class Work(StrEnum):
    """What is measured."""

    EMPTY = "empty function"
    CYCLES = "acquire + release"
    JUST_FULL = "acquire + release, license just full"
    HELD = "acquire + release, seats held for 1 s"
    REFUSALS = "refusal"
    FIRST = "first acquire of an organization"
    HEARTBEATS = "heartbeat"
    LOCKING = "locking acquire + release"
    SPREAD_CYCLES = "acquire + release, spread"
    SPREAD_HEARTBEATS = "heartbeat, spread"
    EXPIRE = "expire, sessions of one call"
    MANY_EXPIRED = "expire, many organizations"
    MANY_RECONCILED = "reconcile, many organizations"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What came of one load in one round.

    ``processes`` is how many of each function the clients were spread over. ``cpu`` holds shares of the whole machine,
    0 to 1, by program, its processes together. ``beside`` is, of the empty function, what was
    measured next, to be compared with it. ``written`` is the share of the answered heartbeats
    that extended their lease, and ``lease_seconds`` the lease that they extended.
    ``store`` is what the parts store20 and many count.
    """

    work: Work
    clients: int
    round: int
    seconds: float
    completed: int
    unfinished: int
    errors: Mapping[str, int]
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    cpu: Mapping[str, float]
    processes: int = 1
    beside: Work | None = None
    written: float | None = None
    lease_seconds: int | None = None
    store: StoreUse | None = None

    @property
    def per_second(self) -> float:
        """Completed requests, cycles, or sessions ended or looked at, per second."""
        return self.completed / self.seconds

    @property
    def error_count(self) -> int:
        """How often an answer was not the expected one."""
        return sum(self.errors.values())


def measured(
    work: Work, load: Load, *, clients: int, round_: int, processes: int = 1, beside: Work | None = None
) -> Measurement:
    """Sum up a load."""
    durations = sorted(load.durations_seconds)
    return Measurement(
        work=work,
        clients=clients,
        round=round_,
        seconds=load.seconds,
        completed=load.completed,
        unfinished=load.unfinished,
        errors=dict(load.errors),
        p50_seconds=percentile(durations, 50),
        p95_seconds=percentile(durations, 95),
        p99_seconds=percentile(durations, 99),
        cpu=load.cpu,
        processes=processes,
        beside=beside,
        store=load.store,
    )
