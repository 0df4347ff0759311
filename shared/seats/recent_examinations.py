"""What examinations found out, kept for a moment: while it is, a refusal needs no query.

An examination finds three things of a scope: no counter is wrong, no lease has lapsed, and the first lease ends at T.
This holds for one second and until T. Our own grants and releases do not change it, because they keep the counters
right. A session that an admin ends by hand makes room at most a second late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cachetools import LRUCache

from shared.seats.counters import Scope

KEPT_FOR = timedelta(seconds=1)

MAX_ORGANIZATIONS = 10_000
"""Organizations whose examinations an instance remembers. A forgotten one is examined again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """The result for one scope, of the instant ``at``. All that had lapsed then has ended."""

    at: datetime
    next_to_lapse_at: datetime | None

    def holds(self, *, now: datetime) -> bool:
        until = self.at + KEPT_FOR
        return now < (until if self.next_to_lapse_at is None else min(until, self.next_to_lapse_at))


class RecentExaminations:
    """The latest results of one function instance, for all organizations."""

    def __init__(self) -> None:
        self._kept: LRUCache[str, Mapping[Scope, Examined]] = LRUCache(MAX_ORGANIZATIONS)

    def of(self, organization_id: str, *, now: datetime) -> dict[Scope, Examined]:
        """The results that hold at ``now``."""
        kept = self._kept.get(organization_id, {})
        return {scope: each for scope, each in kept.items() if each.holds(now=now)}

    def lately(self, organization_id: str, *, now: datetime) -> set[Scope]:
        """The scopes that were examined within the last two seconds: the next examination begins where it ended."""
        kept = self._kept.get(organization_id, {})
        return {scope for scope, each in kept.items() if now < each.at + 2 * KEPT_FOR}

    def keep(self, organization_id: str, results: Mapping[Scope, Examined]) -> None:
        """Keep results, once the commit that rests on them is done."""
        self._kept[organization_id] = results
