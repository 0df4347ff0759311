"""Count the tenures that were open at an instant, of one scope or of all, by bisection."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable
from datetime import datetime

Held = tuple[Hashable, datetime, datetime]
"""A scope, such as a license, and start (inclusive) and end (exclusive) of holding one of its seats."""


class Occupancy:
    """Seats over time."""

    def __init__(self, held: Iterable[Held]) -> None:
        self._opened: dict[Hashable, list[datetime]] = defaultdict(list)
        self._closed: dict[Hashable, list[datetime]] = defaultdict(list)
        for scope, opens, closes in held:
            if opens < closes:
                for each in (scope, None):
                    self._opened[each].append(opens)
                    self._closed[each].append(closes)
        for times in (*self._opened.values(), *self._closed.values()):
            times.sort()

    def count(self, at: datetime, *, scope: Hashable) -> int:
        """Count the open tenures at an instant; a scope of ``None`` means all of them together."""
        opened, closed = self._opened.get(scope, ()), self._closed.get(scope, ())
        return bisect_right(opened, at) - bisect_right(closed, at)
