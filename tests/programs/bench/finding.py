"""A figure from the measurements, and whether it meets its limit."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.programs.bench.measurement import Measurement, Work

Ratio = Callable[[Measurement, Measurement], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A figure, its value in each round that has one, and the target for its median if there is one.

    ``beside`` is what it is a ratio to, where that is no work of the product. ``aim`` is what it should come to one
    day; nothing is judged by it. Nor is a target when ``is_judged`` is false.
    """

    name: str
    values: tuple[float, ...]
    beside: Work | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    aim: float | None = None
    is_judged: bool = True

    @property
    def median(self) -> float:
        """The median over the rounds; not a number when no round has a value."""
        return statistics.median(self.values) if self.values else float("nan")

    @property
    def is_target(self) -> bool:
        """Whether it has a target that it is judged by."""
        return self.is_judged and any(each is not None for each in (self.at_least, self.at_most, self.below))

    @property
    def is_met(self) -> bool:
        """Whether the median is what the target asks; what could not be measured is not."""
        if not self.is_target:
            return True
        if not self.values:
            return False
        high_enough = self.at_least is None or self.median >= self.at_least
        low_enough = self.at_most is None or self.median <= self.at_most
        return high_enough and low_enough and (self.below is None or self.median < self.below)


def within_rounds(ours: Sequence[Measurement], others: Sequence[Measurement], ratio: Ratio) -> tuple[float, ...]:
    """Compare two measurements in each round that has both, and the second did anything."""
    of_round = {each.round: each for each in others}
    pairs = [(each, of_round[each.round]) for each in ours if each.round in of_round]
    return tuple(ratio(*both) for both in pairs if both[1].completed or both[1].work is Work.LOCKING)


def by_rate(ours: Measurement, other: Measurement) -> float:
    """How many are done for each one of the other."""
    return ours.per_second / other.per_second


def tail(measurements: Sequence[Measurement]) -> tuple[float, ...]:
    """How many times its median the slowest hundredth takes, in each round."""
    return tuple(each.p99_seconds / each.p50_seconds for each in measurements if each.p99_seconds and each.p50_seconds)
