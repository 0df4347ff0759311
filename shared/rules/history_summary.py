"""The history of an organization, and how many seats would have been enough."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from shared.rules.history import UsageDay
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import CallerRefusal, LicenseNotFound, Unusable

MAX_HISTORY_DAYS = 400
"""The most days of one answer: a year, and some days to compare."""

SHARES = (95, 99, 100)
"""The shares of the busy time, in percent, for which the seats that would have been enough are told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseHistory:
    """The days of a license that were counted, oldest first. A deleted license is ``None``, and has its days."""

    license_id: str
    license: License | Unusable | None
    days: tuple[UsageDay, ...]

    @property
    def seats(self) -> int | None:
        """The license's present cap."""
        return self.license.max_concurrent_seats if isinstance(self.license, License) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """How the licenses of an organization were used on the days from ``first`` to ``last``."""

    organization: Organization
    first: date
    last: date
    licenses: tuple[LicenseHistory, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryTooLong:
    """The organization has so many licenses that at most ``most_days`` of all of them are answered at once."""

    most_days: int


HistoryOutcome = History | CallerRefusal | LicenseNotFound | HistoryTooLong


@dataclass(frozen=True, kw_only=True, slots=True)
class HistorySummary:
    """What a purchase is decided by. Busy time is that in which a seat was in use or wanted.

    ``seats_enough_for`` has for each share the seats that would have been enough for that share of the busy time.
    ``enough_share`` is the share for which the license's present cap was enough. Each is ``None`` without busy time.
    """

    peak_in_use: int
    peak_demand: int
    busy_seconds: int
    seat_seconds: int
    people_turned_away: int
    seats_enough_for: Mapping[int, int | None]
    enough_share: float | None


def summary(days: Sequence[UsageDay], *, seats: int | None) -> HistorySummary:
    """Sum up days. ``seats`` is the license's present cap. People are counted once for each day."""
    demand: Counter[int] = Counter()
    for day in days:
        demand.update({level: seconds for level, seconds in day.demand_seconds_at.items() if level})
    busy = demand.total()
    enough = sum(seconds for level, seconds in demand.items() if seats is not None and level <= seats)
    return HistorySummary(
        peak_in_use=max((peak for day in days for peak in day.peak_in_use), default=0),
        peak_demand=max((peak for day in days for peak in day.peak_demand), default=0),
        busy_seconds=busy,
        seat_seconds=sum(day.seat_seconds for day in days),
        people_turned_away=sum(day.people_turned_away for day in days),
        seats_enough_for={percent: _enough_for(percent, demand) for percent in SHARES},
        enough_share=None if seats is None or not busy else round(enough / busy, 4),
    )


def _enough_for(percent: int, demand: Mapping[int, int]) -> int | None:
    """The smallest level at or below which the demand was for so many percent of the time."""
    total, seen = sum(demand.values()), 0
    for level, seconds in sorted(demand.items()):
        seen += seconds
        if seen * 100 >= total * percent:
            return level
    return None
