"""Made-up records for the tests of the report."""

from tests.programs.bench.cold import LIBRARIES, ColdStart
from tests.programs.bench.machine import Machine
from tests.programs.bench.measurement import Measurement, Work
from tests.programs.bench.plan import Plan
from tests.programs.bench.results import Results
from tests.programs.bench.store_use import StoreUse

MACHINE = Machine(cores=2, cpu="Some CPU", system="Linux", python="3.11", commit="c0ffee", load_average=0.5)


def results(plan: Plan, *measurements: Measurement) -> Results:
    """Results of this plan with these measurements."""
    return Results(plan=plan, machine=MACHINE, measurements=list(measurements))


def measurement(
    work: Work,
    per_second: int,
    *,
    clients: int = 32,
    round_: int = 1,
    processes: int = 1,
    p99_seconds: float = 0.02,
    errors: int = 0,
    unfinished: int = 0,
    beside: Work | None = None,
    store: StoreUse | None = None,
) -> Measurement:
    """Measure for one second, at this rate and with a median of 10 ms."""
    return Measurement(
        work=work,
        clients=clients,
        round=round_,
        seconds=1,
        completed=per_second,
        unfinished=unfinished,
        errors={"acquire: 503": errors} if errors else {},
        p50_seconds=0.01,
        p95_seconds=0.015,
        p99_seconds=p99_seconds,
        cpu={},
        processes=processes,
        beside=beside,
        store=store,
        written=1.0 if work is Work.HEARTBEATS else None,
    )


def store_use(
    *, delay_seconds: float = 0.02, calls: int = 0, queries: int = 0, acquire_p99_seconds: float = 0.02
) -> StoreUse:
    """Grant 60 requests and refuse 40, with so many calls and a median of 10 ms."""
    return StoreUse(
        seconds=1,
        delay_seconds=delay_seconds,
        is_confined=True,
        granted=60,
        refused=40,
        calls=calls,
        queries=queries,
        documents_read=0,
        acquire_p50_seconds=0.01,
        acquire_p99_seconds=acquire_p99_seconds,
    )


def starts(name: str, milliseconds: float) -> list[ColdStart]:
    """One import beside that of the libraries, which takes 100 ms."""
    return [
        ColdStart(name=LIBRARIES, round=1, import_cpu_seconds=0.1),
        ColdStart(name=name, round=1, import_cpu_seconds=milliseconds / 1000),
    ]
