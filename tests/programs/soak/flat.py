"""Look for growth: compare the last third of the time with the second. The first third fills caches."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.programs.soak.held import Held

MEMORY_GROWS_AT_MOST = 1.03
LATENCY_GROWS_AT_MOST = 1.5
"""Memory is judged strictly. Latency is that of a machine which does other things as well."""
FILES_AND_THREADS_MORE_AT_MOST = 2

_JUDGED: tuple[tuple[str, Callable[[Held], float], float, int], ...] = (
    ("memory, MB", lambda held: held.resident_bytes / 1e6, MEMORY_GROWS_AT_MOST, 0),
    ("open files", lambda held: held.open_files, 1, FILES_AND_THREADS_MORE_AT_MOST),
    ("threads", lambda held: held.threads, 1, FILES_AND_THREADS_MORE_AT_MOST),
)
"""Of each server: what, where it stands, how many times as much it may come to, and how much more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One stretch of the soak: how long requests took in it, and what each server held at its end."""

    p50_seconds: float
    p99_seconds: float
    completed: int
    errors: int
    held: Mapping[str, Held]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """What something was in the second third of the time and in the last one (medians), and what it may come to."""

    what: str
    before: float
    after: float
    limit: float

    @property
    def is_flat(self) -> bool:
        """Whether it stayed below its limit."""
        return self.after <= self.limit


def trends(samples: Sequence[Sample]) -> Iterator[Trend]:
    """Compare the two thirds. Fewer than six samples tell nothing.

    Raises:
        ValueError: there are fewer.
    """
    third = len(samples) // 3
    if third < 2:
        message = f"{len(samples)} samples are too few to see a trend"
        raise ValueError(message)
    middle, last = samples[third : 2 * third], samples[-third:]

    def trend(what: str, of_middle: Sequence[float], of_last: Sequence[float], *, times: float, more: int) -> Trend:
        before, after = statistics.median(of_middle), statistics.median(of_last)
        return Trend(what=what, before=before, after=after, limit=before * times + more)

    for name in samples[-1].held:
        for what, measure, times, more in _JUDGED:
            before, after = ([measure(each.held[name]) for each in part] for part in (middle, last))
            yield trend(f"{name}: {what}", before, after, times=times, more=more)
    for what, of in (("p50, ms", "p50_seconds"), ("p99, ms", "p99_seconds")):
        yield trend(
            what,
            [1000 * getattr(each, of) for each in middle],
            [1000 * getattr(each, of) for each in last],
            times=LATENCY_GROWS_AT_MOST,
            more=0,
        )
