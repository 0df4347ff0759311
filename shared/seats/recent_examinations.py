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
    """The result for one scope. It holds before ``until``."""

    next_to_lapse_at: datetime | None
    until: datetime


class RecentExaminations:
    """The results of one function instance, for all organizations."""

    def __init__(self) -> None:
        self._kept: LRUCache[str, Mapping[Scope, Examined]] = LRUCache(MAX_ORGANIZATIONS)

    def of(self, organization_id: str, *, now: datetime) -> dict[Scope, Examined]:
        """The results that hold at ``now``."""
        kept = self._kept.get(organization_id, {})
        return {scope: each for scope, each in kept.items() if now < each.until}

    def keep(self, organization_id: str, results: Mapping[Scope, Examined]) -> None:
        """Keep results, once the commit that rests on them is done."""
        self._kept[organization_id] = results


def result(first: datetime | None, *, now: datetime) -> Examined:
    """What an examination at ``now`` found out. All that had lapsed has ended; ``first`` is the next lease to end."""
    until = now + KEPT_FOR
    return Examined(next_to_lapse_at=first, until=until if first is None else min(until, first))
