"""Events: what a program is told of its seat."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from seatlease.errors import NoSeatFree, SeatleaseError, ServiceUnreachable
from seatlease.lease import State


@dataclass(frozen=True, kw_only=True)
class Change:
    """The state changed. ``error`` is why, where something went wrong.

    From ``LOST`` to ``LOST``: the seat was asked for again and refused, and is not asked for any more.
    """

    previous: State
    state: State
    error: SeatleaseError | None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """There is no seat yet. ``attempt`` were made, and the next is due in ``next_try_in``.

    ``error`` is a ``NoSeatFree``, or a ``ServiceUnreachable`` when it was not even possible to ask.
    ``give_up_in`` is how much of the time is left.
    """

    attempt: int
    next_try_in: timedelta
    give_up_in: timedelta
    error: NoSeatFree | ServiceUnreachable

    @property
    def earliest_expiry_at(self) -> datetime | None:
        """When the first lease runs out unless its user goes on working, by the service's clock, if known."""
        return self.error.earliest_expiry_at if isinstance(self.error, NoSeatFree) else None
