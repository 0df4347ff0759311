"""The findings of a run: ratios within each round, durations, and whether they meet their limits."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.programs.bench.expiry import LAPSED_SESSIONS, run_limit_seconds
from tests.programs.bench.finding import Finding, by_rate
from tests.programs.bench.measurement import Measurement, Work
from tests.programs.bench.parts import Part
from tests.programs.bench.process_findings import findings_of_processes
from tests.programs.bench.request_findings import findings_of_requests
from tests.programs.bench.results import Results
from tests.programs.bench.start_findings import findings_of_start
from tests.programs.bench.store_findings import findings_of_store20


def findings(results: Results) -> list[Finding]:
    """Compare what was measured; what the plan should have measured and did not is missed.

    A quick run is judged by its errors only, and by who got no answer: its figures are those of a second.
    """
    found = list(_figures(results))
    if results.plan.is_quick:
        found = [replace(each, is_judged=False) for each in found]
    return [*found, *_failures(results.measurements)]


def _figures(results: Results) -> Iterator[Finding]:
    plan = results.plan
    measurements = [each for each in results.measurements if each.store is None]
    if Part.START in plan.parts:
        yield from findings_of_start(results.starts, results.memory)
    if Part.REQUESTS in plan.parts:
        yield from findings_of_requests(measurements, plan)
    if Part.PROCESSES in plan.parts:
        yield from findings_of_processes(measurements, plan)
    if Part.EXPIRE in plan.parts:
        yield _run_of_expire(measurements)
    if Part.STORE20 in plan.parts:
        yield from findings_of_store20(results.measurements)
    if Part.MANY in plan.parts:
        yield from _passes(results.measurements)


def _run_of_expire(measurements: Sequence[Measurement]) -> Finding:
    return Finding(
        name=f"seconds of one run of expire, {LAPSED_SESSIONS:,} lapsed sessions",
        # A run that fails may do so quickly; that is not the figure.
        values=tuple(each.seconds for each in measurements if each.work is Work.EXPIRE and not each.errors),
        below=run_limit_seconds(),
    )


def _passes(measurements: Sequence[Measurement]) -> Iterator[Finding]:
    for work in (Work.MANY_EXPIRED, Work.MANY_RECONCILED):
        one: dict[float, Measurement] = {}
        for each in measurements:
            if each.work is not work or each.store is None or each.errors:
                continue
            delay = each.store.delay_seconds
            what = f"{work}, workers: {each.processes}, {1000 * delay:.0f} ms"
            yield Finding(name=f"seconds until the last organization, {what}", values=(each.seconds,))
            yield Finding(name=f"reads of each session, {what}", values=(each.store.each(each.store.documents_read),))
            if each.processes == 1:
                one[delay] = each
            elif delay in one:
                yield Finding(name=f"sessions a second / of one worker, {what}", values=(by_rate(each, one[delay]),))


def _failures(measurements: Sequence[Measurement]) -> Iterator[Finding]:
    of_product = [each for each in measurements if each.work is not Work.LOCKING]
    counts = {
        "errors, without those of locking": sum(each.error_count for each in of_product),
        "clients cut off, without those of locking": sum(each.unfinished for each in of_product),
    }
    for name, count in counts.items():
        yield Finding(name=name, values=(float(count),), below=1)
