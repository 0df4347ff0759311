"""What examinations found out, kept for a moment: while it is, a refusal needs no query.

An examination finds three things of a scope: no counter is wrong, no lease has lapsed, and the first lease ends at T.
This holds for one second and until T. Our own grants and releases do not change it, because they keep the counters
right. A session that an admin ends by hand makes room at most a second late.

::

    examined at                      aging                               until
        |-- refusals rest on it ------|-- and one examines anew, --------|-- a refusal waits for
                                          for which nobody waits             an examination
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cachetools import LRUCache

from shared.seats.counters import Scope

KEPT_FOR = timedelta(seconds=1)
AGES_AFTER = KEPT_FOR * 0.6

MAX_ORGANIZATIONS = 10_000
"""Organizations whose examinations an instance remembers. A forgotten one is examined again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """The result for one scope. It holds before ``until``."""

    at: datetime
    next_to_lapse_at: datetime | None

    @property
    def until(self) -> datetime:
        until = self.at + KEPT_FOR
        return until if self.next_to_lapse_at is None else min(until, self.next_to_lapse_at)

    def is_aging(self, *, now: datetime) -> bool:
        """Whether it is time for the next examination."""
        return now >= self.at + AGES_AFTER


class RecentExaminations:
    """The results of one function instance, for all organizations."""

    def __init__(self) -> None:
        self._kept: LRUCache[str, Mapping[Scope, Examined]] = LRUCache(MAX_ORGANIZATIONS)

    def of(self, organization_id: str, *, now: datetime) -> dict[Scope, Examined]:
        """The results that hold at ``now``."""
        kept = self._kept.get(organization_id, {})
        return {scope: each for scope, each in kept.items() if now < each.until}

    def keep(self, organization_id: str, results: Mapping[Scope, Examined], *, now: datetime) -> None:
        """Keep results whose examination is over, and of each scope the latest."""
        latest = self.of(organization_id, now=now)
        for scope, each in results.items():
            if scope not in latest or latest[scope].at < each.at:
                latest[scope] = each
        if latest:
            self._kept[organization_id] = latest
