"""Events: what the client reports about a seat."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from seatlease.errors import InLine, NoSeatFree, SeatleaseError, ServiceUnreachable
from seatlease.lease import State


@dataclass(frozen=True, kw_only=True)
class Change:
    """The state changed. ``error`` is the reason, if something went wrong.

    A change from ``LOST`` to ``LOST`` means: the client asked for the seat again, was refused, and stops asking.
    """

    previous: State
    state: State
    error: SeatleaseError | None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """There is no seat yet. ``attempt`` attempts were made, and the next comes in ``next_try_in``.

    ``error`` is ``InLine`` if the user has a place in the service's line, or else ``NoSeatFree``, or
    ``ServiceUnreachable`` if the service did not answer. ``give_up_in`` is the time left to wait.
    """

    attempt: int
    next_try_in: timedelta
    give_up_in: timedelta
    error: InLine | NoSeatFree | ServiceUnreachable

    @property
    def position(self) -> int | None:
        """The place in the line, from 1 on; ``None`` without one."""
        return self.error.position if isinstance(self.error, InLine) else None

    @property
    def of(self) -> int | None:
        """How many wait in the line, this user among them; ``None`` without a place."""
        return self.error.of if isinstance(self.error, InLine) else None

    @property
    def earliest_expiry_at(self) -> datetime | None:
        """When the first lease runs out unless its user goes on working, by the service's clock, if known."""
        return self.error.earliest_expiry_at if isinstance(self.error, NoSeatFree) else None
