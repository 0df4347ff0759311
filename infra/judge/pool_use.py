"""The seats in use, by pool, that the decision of a grant counted.

It counted what was committed when it read, and what it had decided before in the same commit. The counters do not know
of an end by hand until a repair. So where an admin ended sessions, several counts are possible.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product
from math import prod

from infra.judge.history import Event, History
from infra.judge.occupancy import Occupancy
from infra.judge.tenure import NEVER, Tenure, moment
from shared.rules.audit import CONSOLE, ENDS, AuditType
from shared.rules.seat_use import SeatUse

_MOST_COUNTS = 200
"""If more counts than this are possible, none is tried."""


class PoolUse:
    """The seats of each license and pool over time."""

    def __init__(self, history: History, tenures: Sequence[Tenure]) -> None:
        repairs = sorted(
            (event.at, moment(event)) for event in history.events if event.type == AuditType.USAGE_REPAIRED
        )
        self._at_least = Occupancy((each.scope, each.opens_at, each.closes_from) for each in tenures)
        self._at_most = Occupancy((each.scope, each.opens_from, _counted_until(each, repairs)) for each in tenures)
        self._pools: dict[str, set[str | None]] = defaultdict(set)
        self._commits: dict[tuple[datetime, datetime | None], list[tuple[Event, Tenure]]] = defaultdict(list)
        for tenure in tenures:
            self._pools[tenure.license_id].add(tenure.pool)
            for event in tenure.events:
                self._commits[event.at, event.committed_at].append((event, tenure))

    def least(self, grant: Event) -> SeatUse:
        """The fewest seats that it can have counted."""
        return _use(grant, {pool: least for pool, (least, _) in self._bounds(grant).items()})

    def possible(self, grant: Event) -> Iterator[SeatUse]:
        """Every count that is possible; none if there are too many."""
        bounds = self._bounds(grant)
        ranges = [range(least, most + 1) for least, most in bounds.values()]
        if prod(map(len, ranges)) <= _MOST_COUNTS:
            for counts in product(*ranges):
                yield _use(grant, dict(zip(bounds, counts, strict=True)))

    def _bounds(self, grant: Event) -> dict[str | None, tuple[int, int]]:
        license_id = grant.license_id or ""
        scopes = {pool: (license_id, pool) for pool in self._pools[license_id]}
        least = {pool: self._at_least.count(grant.at, scope=scope) for pool, scope in scopes.items()}
        most = {pool: self._at_most.count(grant.at, scope=scope) for pool, scope in scopes.items()}
        commit = self._commits[grant.at, grant.committed_at]
        granted = {event.session_id: _number(event) for event, _ in commit if event.type == AuditType.ACQUIRED}
        for event, tenure in commit:
            if tenure.license_id != license_id:
                continue
            if event.type == AuditType.ACQUIRED and _number(event) < _number(grant):
                least[tenure.pool] += 1
                most[tenure.pool] += 1
            elif event.type in ENDS:
                # A lapsed session ends before all grants of the commit, or only for its own next tenure.
                least[tenure.pool] -= 1
                most[tenure.pool] -= granted.get(event.session_id, 0) <= _number(grant)
        return {pool: (max(0, least[pool]), max(0, least[pool], most[pool])) for pool in scopes}


def _number(grant: Event) -> int:
    return grant.grant_number or 0


def _use(grant: Event, counts: Mapping[str | None, int]) -> SeatUse:
    license_id = grant.license_id or ""
    by_pool = {(license_id, pool): seats for pool, seats in counts.items() if pool is not None}
    return SeatUse(by_license={license_id: sum(counts.values())}, by_pool=by_pool)


def _counted_until(tenure: Tenure, repairs: Sequence[tuple[datetime, datetime]]) -> datetime:
    """Until when the counters may count a tenure: after an end by hand, until the first repair that knows of it."""
    is_ended_by_hand = any(end.actor == CONSOLE for end in tenure.ends) if tenure.ends else tenure.closes_by != NEVER
    if not is_ended_by_hand:
        return tenure.closes_by
    knowing = repairs[bisect_left(repairs, (tenure.closes_by, tenure.closes_by)) :]
    return knowing[0][1] if knowing else NEVER
