"""The line: the users who wait for a seat, in the order in which they came.

A place in the line belongs to one user on one device, and has the id that the session will have.

::

      |   counts: nobody behind it is served first   |   given up
    since                 asked_at             counts_until

A seat that falls free is offered to nobody. The program asks again, and gets the seat if one is left after those before
it have had theirs. A program that is gone stops asking. Its place counts for two and a half intervals more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.rules.license import License

MAX_WAIT = timedelta(hours=4)
"""The longest time ahead for which a user may say that they wait."""

MAX_PLACES = 200
"""The most places for one license. Each request of a user who waits reads all of them."""

MAX_PLACES_OF_USER = 5
"""The most places of one user, for all licenses together."""

NEAR_INTERVAL, LONGEST_INTERVAL = timedelta(seconds=5), timedelta(seconds=30)
"""How often the first places ask, and how often the last ones do."""

NEAR_PLACES = 2
"""So many places more than there are free seats ask as often as the first one."""

SILENT_INTERVALS = 2.5
"""A place counts for so many intervals after it asked: two requests in a row may be lost."""

WRITTEN_EVERY = 3
"""A place that asks again within this fraction (a third) of its interval, and gains no more by it, is not written."""

_INSTANT, _GROUP_WITHIN = timedelta(microseconds=1), timedelta(seconds=1)


class GaveUp(StrEnum):
    """Why a place is in the line no more, although its user got no seat."""

    SILENT = "silent"
    LEFT = "left"
    TIME_OVER = "time_over"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceInLine:
    """A user on a device who waits for a seat of a license. ``groups`` are the user's, for the pools."""

    session_id: str
    license_id: str
    user_id: str
    hardware_id: str
    groups: tuple[str, ...]
    since: datetime
    asked_at: datetime
    wait_until: datetime
    counts_until: datetime

    @property
    def order(self) -> tuple[datetime, str]:
        return self.since, self.session_id


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitTooShort:
    """There is no seat, and the time until which the user waits has passed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitTooLong:
    """The user may wait until ``latest`` at most."""

    latest: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """The places of an organization that count, in their order, and the licenses that they are for."""

    places: tuple[PlaceInLine, ...] = ()
    licenses: Mapping[str, License] = field(default_factory=dict)

    def place(self, session_id: str) -> PlaceInLine | None:
        return next((each for each in self.places if each.session_id == session_id), None)

    def of(self, license_id: str) -> tuple[PlaceInLine, ...]:
        """The places for one license."""
        return tuple(each for each in self.places if each.license_id == license_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A place, the how many-th of how many for its license it is, and when to ask again at the latest."""

    place: PlaceInLine
    position: int
    of: int
    ask_again_for: timedelta


def counts(place: PlaceInLine, *, now: datetime) -> bool:
    """Whether the place is in the line. At the instant of ``counts_until`` it is not."""
    return now < place.counts_until


def gave_up_because(place: PlaceInLine) -> GaveUp:
    """Why a place that does not count any more was given up."""
    return GaveUp.TIME_OVER if place.counts_until >= place.wait_until else GaveUp.SILENT


def take_turn(line: Line, asking: PlaceInLine, *, free: int, now: datetime) -> Turn | None:
    """Give the caller a place at the end, or the one it has; ``None`` if as many wait as may.

    ``asking`` is the place as the request describes it. Only ``since`` and ``counts_until`` are found here. ``free`` is
    the number of the license's free seats.
    """
    here = line.of(asking.license_id)
    own = next((each for each in here if each.session_id == asking.session_id), None)
    if own is None and _is_full(line, here, asking.user_id):
        return None
    position = len(here) + 1 if own is None else here.index(own) + 1
    interval = interval_at(position, free=free)
    counts_until = min(now + SILENT_INTERVALS * interval, asking.wait_until)
    place = own
    if (
        own is None
        or own.wait_until != asking.wait_until
        # The interval grows if free seats become fewer, but not the places before: other licenses may take them.
        or max(now - own.asked_at, counts_until - own.counts_until) >= interval / WRITTEN_EVERY
    ):
        since = _behind(line.places, now=now) if own is None else own.since
        place = replace(asking, since=since, asked_at=now, counts_until=counts_until)
    assert place is not None  # noqa: S101 the condition above leaves nothing else; for the type checker
    return Turn(place=place, position=position, of=len(here) + (own is None), ask_again_for=interval)


def interval_at(position: int, *, free: int) -> timedelta:
    """How long a place may leave between two requests: the sooner its turn comes, the shorter."""
    if position <= free + NEAR_PLACES:
        return NEAR_INTERVAL
    return min(LONGEST_INTERVAL, NEAR_INTERVAL + timedelta(seconds=position))


def _is_full(line: Line, here: tuple[PlaceInLine, ...], user_id: str) -> bool:
    own = sum(each.user_id == user_id for each in line.places)
    return len(here) >= MAX_PLACES or own >= MAX_PLACES_OF_USER


def _behind(places: Iterable[PlaceInLine], *, now: datetime) -> datetime:
    """A time behind all places, so that those who come in one group have an order.

    A place that came much later than now was edited by hand. It stays behind.
    """
    return max([now, *(each.since + _INSTANT for each in places if each.since < now + _GROUP_WITHIN)])
