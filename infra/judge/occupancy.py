"""Count the tenures that were open at an instant, of one license or of all, by bisection."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

Held = tuple[str, datetime, datetime]
"""A license, and start (inclusive) and end (exclusive) of holding one of its seats."""


class Occupancy:
    """Seats over time."""

    def __init__(self, held: Iterable[Held]) -> None:
        self._opened: dict[str | None, list[datetime]] = defaultdict(list)
        self._closed: dict[str | None, list[datetime]] = defaultdict(list)
        for license_id, opens, closes in held:
            if opens < closes:
                for scope in (license_id, None):
                    self._opened[scope].append(opens)
                    self._closed[scope].append(closes)
        for times in (*self._opened.values(), *self._closed.values()):
            times.sort()

    def count(self, at: datetime, *, license_id: str | None) -> int:
        """Count the open tenures at an instant; ``license_id`` of ``None`` means all licenses together."""
        opened, closed = self._opened.get(license_id, ()), self._closed.get(license_id, ())
        return bisect_right(opened, at) - bisect_right(closed, at)
