"""History: how a license was used on a day, counted from its tenures, refusals, places in the line, and caps.

Everything is known from the ends of tenures and from what is open. So a day is computed whole, again and again, and
each time comes out the same. It holds what was decided before ``computed_at``, and nothing of later::

      |   counted                       |   not yet          |
    the day's start            computed_at           the day's end (UTC)

Seconds are counted by looking once at each full second. So they add up, over levels, half hours and days.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

HALF_HOURS, HALF_HOUR = 48, timedelta(minutes=30)
DAY = timedelta(days=1)

TRIES_FOR = timedelta(seconds=60)
"""So long after its last attempt a refused device still counts as waiting."""

SERVED_WITHIN = timedelta(minutes=15)
"""A user who has a seat within this time after a refusal was not turned away."""

SETTLES_AFTER = timedelta(hours=24)
"""So long after a day's end its numbers are final. Ends that admins wrote by hand are reported by then."""

MAX_EVENTS = 60_000
"""The most events of an organization's day that are counted. A day with more is given up."""

MAX_BORROWS = 10_000
"""So many of an organization's latest borrows are known when a day is counted, beside those of the day itself."""

_SECOND = timedelta(seconds=1)
_Span = tuple[datetime, datetime]
"""From a time on, and before another one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TenureSeen:
    """A tenure, open (``ended_at`` is ``None``) or ended. An admin who deleted its session left no lease."""

    session_id: str
    user_id: str
    started_at: datetime
    last_heartbeat_at: datetime | None
    lease_expires_at: datetime | None
    ended_at: datetime | None

    @property
    def until(self) -> datetime | None:
        """When the seat was free again, or will be: at the end, or when the lease ran out before it."""
        return min((each for each in (self.ended_at, self.lease_expires_at) if each is not None), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class BorrowSeen:
    """A seat that was lent at ``at``, within the tenure of a session since ``started_at``."""

    session_id: str
    started_at: datetime
    at: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusalSeen:
    """The refused attempts of a user from ``at`` on. The session is that of the last device.

    From ``complete_at`` on no attempt is added to them.
    """

    session_id: str
    user_id: str
    at: datetime
    last_attempt_at: datetime
    complete_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitSeen:
    """A place in the line. ``until`` is when it ended without a seat, or will; ``None`` if that is not known."""

    session_id: str
    user_id: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CapChange:
    """An admin's edit of a license's cap at ``at``, and the cap before it; ``None`` if there was none."""

    at: datetime
    before: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """All that is known of one license, in any order. ``seats`` is its present cap, ``None`` if there is none."""

    tenures: Sequence[TenureSeen] = ()
    borrows: Sequence[BorrowSeen] = ()
    refusals: Sequence[RefusalSeen] = ()
    waits: Sequence[WaitSeen] = ()
    seats: int | None = None
    cap_changes: Sequence[CapChange] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    """How many users waited in the line and got a seat, and for how long, in seconds; ``None`` if there is none."""

    count: int = 0
    p50_seconds: int | None = None
    p95_seconds: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageDay:
    """A license's day in UTC. The lists have a number for each half hour.

    ``seats`` is the cap that was in force; ``None`` if none is known, or the half hour has not come.
    """

    license_id: str
    date: date
    peak_in_use: tuple[int, ...]
    peak_demand: tuple[int, ...]
    seats: tuple[int | None, ...]
    full_seconds: tuple[int, ...]
    denied_people: tuple[int, ...]
    seconds_at: Mapping[int, int]
    demand_seconds_at: Mapping[int, int]
    seat_seconds: int
    idle_seat_seconds: int
    borrowed_seat_seconds: int
    overdraft_seat_seconds: int
    waits: Waits
    people_denied: int
    people_turned_away: int
    computed_at: datetime
    is_settled: bool

    @property
    def is_complete(self) -> bool:
        """Whether the day is counted to its end."""
        return self.computed_at >= start_of(self.date) + DAY

    @property
    def is_given_up(self) -> bool:
        """Whether the rest of the day is never counted, because its organization has too many events of it."""
        return self.is_settled and not self.is_complete

    @property
    def peak_overdraft(self) -> tuple[int, ...]:
        """The most seats above the cap, for each half hour. Where an admin changed the cap, above its highest."""
        highest = zip(self.peak_in_use, self.seats, strict=True)
        return tuple(0 if seats is None else max(0, peak - seats) for peak, seats in highest)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Window:
    """The part of a day that is counted: all of it, or its beginning until ``computed_at``."""

    start: datetime
    end: datetime
    computed_at: datetime

    def clip(self, since: datetime, until: datetime | None) -> _Span | None:
        """The part of a span that lies within; ``None`` if nothing does."""
        clipped = max(since, self.start), self.end if until is None else min(until, self.end)
        return clipped if clipped[0] < clipped[1] else None

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def half_hour(self, at: datetime) -> int:
        return (at - self.start) // HALF_HOUR

    def seconds(self, span: _Span) -> int:
        """How many full seconds the span ends: those of neighbouring spans add up to those of the whole."""
        return (span[1] - self.start) // _SECOND - (span[0] - self.start) // _SECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class _Segment:
    """A time in which nothing changes. It lies within one half hour."""

    half_hour: int
    seconds: int
    in_use: int
    demand: int
    seats: int | None


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def usage_day(license_id: str, day: date, records: Records, *, computed_at: datetime) -> UsageDay:
    """Count a day of a license, as far as it has passed at ``computed_at``, which is a full second.

    ``records`` must have each tenure that held a seat on this day, and what came within ``SERVED_WITHIN`` of it.
    """
    start = start_of(day)
    window = _Window(start=start, end=max(start, min(start + DAY, computed_at)), computed_at=computed_at)
    segments = list(_segments(window, records))
    seconds_at: Counter[int] = Counter()
    demand_seconds_at: Counter[int] = Counter()
    for each in segments:
        seconds_at[each.in_use] += each.seconds
        demand_seconds_at[each.demand] += each.seconds
    refusals = [each for each in records.refusals if _is_over(each, window) and window.holds(each.at)]
    return UsageDay(
        license_id=license_id,
        date=day,
        peak_in_use=_highest((each.half_hour, each.in_use) for each in segments),
        peak_demand=_highest((each.half_hour, each.demand) for each in segments),
        seats=_caps(segments),
        full_seconds=_sums((each.half_hour, each.seconds) for each in segments if _is_full(each)),
        denied_people=_sums((half_hour, 1) for half_hour, _ in {(window.half_hour(e.at), e.user_id) for e in refusals}),
        seconds_at=_in_order(seconds_at),
        demand_seconds_at=_in_order(demand_seconds_at),
        seat_seconds=sum(level * seconds for level, seconds in seconds_at.items()),
        idle_seat_seconds=sum(map(window.seconds, _idle(window, records))),
        borrowed_seat_seconds=sum(map(window.seconds, _borrowed(window, records))),
        overdraft_seat_seconds=sum(
            max(0, each.in_use - each.seats) * each.seconds for each in segments if each.seats is not None
        ),
        waits=_waits(window, records),
        people_denied=len({each.user_id for each in refusals}),
        people_turned_away=len(_turned_away(window, records)),
        computed_at=computed_at,
        is_settled=computed_at >= start + DAY + SETTLES_AFTER,
    )


def _segments(window: _Window, records: Records) -> Iterator[_Segment]:
    """Cut the time into parts in which nothing changes, in their order."""
    held = _by_device((each.session_id, window.clip(each.started_at, each.until)) for each in records.tenures)
    wanted = _by_device([*_parts(held), *_waiting(window, records)])
    used, asked = _changes(held), _changes(wanted)
    caps = sorted(records.cap_changes, key=lambda change: change.at)
    halves = (window.start + number * HALF_HOUR for number in range(HALF_HOURS))
    edges = {*used, *asked, *(change.at for change in caps), *halves, window.end}
    points = sorted(point for point in edges if window.start <= point <= window.end)
    in_use = demand = 0
    for since, until in pairwise(points):
        in_use, demand = in_use + used[since], demand + asked[since]
        seats = next((change.before for change in caps if change.at > since), records.seats)
        yield _Segment(
            half_hour=window.half_hour(since),
            seconds=window.seconds((since, until)),
            in_use=in_use,
            demand=demand,
            seats=seats,
        )


def _by_device(spans: Iterable[tuple[str, _Span | None]]) -> Mapping[str, list[_Span]]:
    """The times of each device, without overlaps: a device holds or wants one seat at a time."""
    of_device: dict[str, list[_Span]] = defaultdict(list)
    for session_id, span in spans:
        if span is not None:
            of_device[session_id].append(span)
    return {session_id: _joined(each) for session_id, each in of_device.items()}


def _joined(spans: Iterable[_Span]) -> list[_Span]:
    joined: list[_Span] = []
    for since, until in sorted(spans):
        if joined and since <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], until)
        else:
            joined.append((since, until))
    return joined


def _parts(of_device: Mapping[str, Sequence[_Span]]) -> Iterator[tuple[str, _Span]]:
    return ((session_id, span) for session_id, spans in of_device.items() for span in spans)


def _changes(of_device: Mapping[str, Sequence[_Span]]) -> Counter[datetime]:
    changes: Counter[datetime] = Counter()
    for _, (since, until) in _parts(of_device):
        changes[since] += 1
        changes[until] -= 1
    return changes


def _waiting(window: _Window, records: Records) -> Iterator[tuple[str, _Span | None]]:
    """When which device was refused or stood in the line. A seat ends it."""
    tenures = _of_sessions(records.tenures)
    for refusal in records.refusals:
        if _is_over(refusal, window):
            until = refusal.last_attempt_at + TRIES_FOR
            seat = _next_seat(tenures[refusal.session_id], refusal.at)
            yield refusal.session_id, window.clip(refusal.at, until if seat is None else min(until, seat))
    for wait, seat in _ended_waits(records):
        yield wait.session_id, window.clip(wait.since, seat or wait.until or wait.since)


def _ended_waits(records: Records) -> Iterator[tuple[WaitSeen, datetime | None]]:
    """Each place in the line, once, and when it got its seat."""
    tenures = _of_sessions(records.tenures)
    known: dict[tuple[str, datetime], WaitSeen] = {}
    for wait in records.waits:
        before = known.get((wait.session_id, wait.since))
        if before is None or before.until is None or (wait.until is not None and wait.until < before.until):
            known[wait.session_id, wait.since] = wait
    for wait in known.values():
        seat = _next_seat(tenures[wait.session_id], wait.since)
        yield wait, seat if seat is not None and (wait.until is None or seat < wait.until) else None


def _of_sessions(tenures: Iterable[TenureSeen]) -> defaultdict[str, list[datetime]]:
    """When the tenures of each session began, in their order."""
    began: defaultdict[str, list[datetime]] = defaultdict(list)
    for each in sorted(tenures, key=lambda tenure: tenure.started_at):
        began[each.session_id].append(each.started_at)
    return began


def _next_seat(began: Sequence[datetime], since: datetime) -> datetime | None:
    number = bisect_left(began, since)
    return began[number] if number < len(began) else None


def _is_over(refusal: RefusalSeen, window: _Window) -> bool:
    return refusal.complete_at <= window.computed_at


def _is_full(segment: _Segment) -> bool:
    return segment.seats is not None and segment.in_use >= segment.seats


def _idle(window: _Window, records: Records) -> Iterator[_Span]:
    """From the last heartbeat to the end of the lease, for the tenures whose program was not heard of again."""
    lent = {(each.session_id, each.started_at, each.until) for each in records.borrows}
    silent = (
        (each.session_id, window.clip(max(each.started_at, each.last_heartbeat_at), each.until))
        for each in records.tenures
        if each.lease_expires_at is not None
        and each.last_heartbeat_at is not None
        and each.until == each.lease_expires_at <= window.computed_at
        # The program of a borrowed seat need not be heard of.
        and (each.session_id, each.started_at, each.lease_expires_at) not in lent
    )
    return (span for _, span in _parts(_by_device(silent)))


def _borrowed(window: _Window, records: Records) -> Iterator[_Span]:
    lent: dict[tuple[str, datetime], list[BorrowSeen]] = defaultdict(list)
    for borrow in records.borrows:
        lent[borrow.session_id, borrow.started_at].append(borrow)
    for tenure in records.tenures:
        borrows = lent[tenure.session_id, tenure.started_at]
        spans = (window.clip(each.at, min(each.until, tenure.until or each.until)) for each in borrows)
        yield from _joined(span for span in spans if span is not None)


def _waits(window: _Window, records: Records) -> Waits:
    waited = sorted(
        (seat - wait.since) // _SECOND
        for wait, seat in _ended_waits(records)
        if seat is not None and window.holds(seat)
    )
    if not waited:
        return Waits()
    return Waits(count=len(waited), p50_seconds=_percentile(waited, 50), p95_seconds=_percentile(waited, 95))


def _percentile(ordered: Sequence[int], percent: int) -> int:
    """The smallest value that so many percent of the values do not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def _turned_away(window: _Window, records: Records) -> set[str]:
    """The users who were refused, or left the line, and had no seat from then until ``SERVED_WITHIN`` later."""
    tries = [
        *((each.user_id, each.at, each.last_attempt_at) for each in records.refusals if _is_over(each, window)),
        *(
            (wait.user_id, wait.since, wait.until)
            for wait, seat in _ended_waits(records)
            if seat is None and wait.until is not None
        ),
    ]
    spans: dict[str, list[_Span]] = defaultdict(list)
    for tenure in records.tenures:
        spans[tenure.user_id].append((tenure.started_at, tenure.until or window.computed_at))
    held = {user_id: _joined(each) for user_id, each in spans.items()}
    return {
        user_id
        for user_id, since, until in tries
        if window.holds(until)
        and until + SERVED_WITHIN <= window.computed_at
        and not _holds(held.get(user_id, ()), since=since, until=until + SERVED_WITHIN)
    }


def _holds(joined: Sequence[_Span], *, since: datetime, until: datetime) -> bool:
    """Whether one of these spans, in their order and without overlaps, lies partly between the two times."""
    number = bisect_left(joined, until, key=lambda span: span[0])
    return number > 0 and joined[number - 1][1] > since


def _highest(numbers: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    highest = [0] * HALF_HOURS
    for half_hour, number in numbers:
        highest[half_hour] = max(highest[half_hour], number)
    return tuple(highest)


def _caps(segments: Iterable[_Segment]) -> tuple[int | None, ...]:
    """The highest cap of each half hour: a session that took its last seat lies above none of them."""
    caps: list[int | None] = [None] * HALF_HOURS
    for each in segments:
        known = caps[each.half_hour]
        if each.seats is not None:
            caps[each.half_hour] = each.seats if known is None else max(known, each.seats)
    return tuple(caps)


def _sums(numbers: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    sums = [0] * HALF_HOURS
    for half_hour, number in numbers:
        sums[half_hour] += number
    return tuple(sums)


def _in_order(seconds_at: Mapping[int, int]) -> dict[int, int]:
    """Without the levels that no full second saw."""
    return {level: seconds for level, seconds in sorted(seconds_at.items()) if seconds}
