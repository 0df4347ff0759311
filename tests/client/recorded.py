"""What a program was told of its seat."""

import threading

import seatlease
from seatlease import State


class Told:
    """Notes the changes of a state, and waits for them."""

    def __init__(self) -> None:
        self.changes: list[seatlease.Change] = []
        self._more = threading.Condition()

    def __call__(self, change: seatlease.Change) -> None:
        with self._more:
            self.changes.append(change)
            self._more.notify_all()

    @property
    def states(self) -> list[State]:
        return [change.state for change in self.changes]

    def wait_for(self, state: State, *, times: int = 1) -> None:
        with self._more:
            was_told = self._more.wait_for(lambda: self.states.count(state) >= times, 20)
        assert was_told, self.changes
