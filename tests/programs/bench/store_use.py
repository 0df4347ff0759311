"""What a load did at the store, as the proxy in front of it counted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

from infra.local.loopback import NO_TLS
from tests.programs.bench.percentile import percentile

_QUERIES = ("RunQuery", "RunAggregationQuery")
_READ = "documents_read"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreUse:
    """The calls of a load, and the documents that Firestore would bill as read.

    All of the load counts, also what came before and after it was measured: ``seconds`` in all. ``granted`` and
    ``refused`` are answers of acquire. Answered heartbeats and the sessions of a pass count as granted. Each call took
    ``delay_seconds`` longer than without the proxy. ``is_confined`` says whether each process of a function had one
    core. The times are those of single answers of acquire.
    """

    seconds: float
    delay_seconds: float
    is_confined: bool
    granted: int
    refused: int
    calls: int
    queries: int
    documents_read: int
    acquire_p50_seconds: float | None
    acquire_p99_seconds: float | None

    def each(self, count: int) -> float:
        """So many for each request that was granted or refused."""
        return count / max(1, self.granted + self.refused)


def counted(proxy: str, *, delay_seconds: float) -> Mapping[str, int]:
    """Have the proxy at this address delay each call so long, and return what it has counted so far."""
    each_way = delay_seconds / 2
    answer = httpx.get(f"{proxy}/{each_way}", verify=NO_TLS)
    counts: dict[str, int] = answer.raise_for_status().json()
    return counts


def store_use(
    before: Mapping[str, int],
    after: Mapping[str, int],
    answered: Mapping[tuple[str, int], int],
    *,
    acquire_seconds: Iterable[float],
    seconds: float,
    delay_seconds: float,
    is_confined: bool,
) -> StoreUse:
    """Sum up a load between two readings. ``answered`` has the driver's answers by function and status."""
    took = sorted(acquire_seconds)
    used = {name: count - before.get(name, 0) for name, count in after.items()}
    return StoreUse(
        seconds=seconds,
        delay_seconds=delay_seconds,
        is_confined=is_confined,
        granted=answered.get(("acquire", 201), 0) + answered.get(("heartbeat", 200), 0),
        refused=answered.get(("acquire", 409), 0),
        calls=sum(count for name, count in used.items() if name != _READ),
        queries=sum(used.get(name, 0) for name in _QUERIES),
        documents_read=used.get(_READ, 0),
        acquire_p50_seconds=percentile(took, 50),
        acquire_p99_seconds=percentile(took, 99),
    )
