"""Every run there is, one after another: each is played again from the beginning with the next choices."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.interleavings.scheduler import Choices


@dataclass(kw_only=True)
class Replayed:
    """Choices that were made before, and from there on the first of each."""

    prefix: list[int]
    taken: list[tuple[int, int]] = field(default_factory=list)
    """What was chosen, out of how many."""

    def choose(self, options: list[str]) -> int:
        chosen = self.prefix[len(self.taken)] if len(self.taken) < len(self.prefix) else 0
        self.taken.append((chosen, len(options)))
        return chosen


def explore(play: Callable[[Choices], None]) -> int:
    """Play every run, depth first, and say how many there were. The first one that fails raises."""
    prefix: list[int] = []
    runs = 0
    while True:
        choices = Replayed(prefix=prefix)
        play(choices)
        runs += 1
        taken = choices.taken
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return runs
        *before, (last, _) = taken
        prefix = [*(chosen for chosen, _ in before), last + 1]
