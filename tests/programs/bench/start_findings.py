"""Findings about cold starts and memory."""

from collections.abc import Iterator, Sequence

from infra.build.stage import function_names
from tests.programs.bench.cold import LIBRARIES, ColdStart
from tests.programs.bench.finding import Finding
from tests.programs.bench.memory import FEW_REQUESTS, MANY_REQUESTS, Memory

_TO_LIBRARIES, _LIGHTER = 1.3, {"heartbeat": 1.15}
"""What an import may cost, in imports of the libraries alone; the function that is called most has to be lighter."""

_GROWTH = 1.05


def findings_of_start(starts: Sequence[ColdStart], memory: Sequence[Memory]) -> Iterator[Finding]:
    """Compare the imports within each round, and the memory after few and after many requests."""
    libraries = {each.round: each.import_cpu_seconds for each in starts if each.name == LIBRARIES}
    for name in function_names():
        of_function = [each for each in starts if each.name == name and each.round in libraries]
        yield Finding(
            name=f"CPU of importing {name} / {LIBRARIES}",
            values=tuple(each.import_cpu_seconds / libraries[each.round] for each in of_function),
            at_most=_LIGHTER.get(name, _TO_LIBRARIES),
        )
    resident = {each.requests: each.resident_bytes for each in memory}
    is_known = resident.keys() >= {FEW_REQUESTS, MANY_REQUESTS}
    yield Finding(
        name=f"memory of heartbeat after {MANY_REQUESTS:,} requests / after {FEW_REQUESTS:,}",
        values=(resident[MANY_REQUESTS] / resident[FEW_REQUESTS],) if is_known else (),
        at_most=_GROWTH,
    )
