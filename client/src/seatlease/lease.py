"""Lease: until when a session holds its seat, and what its program may make of that, by a clock that nobody can set."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


class State(str, Enum):
    """How it stands with a seat.

    Work goes on in ``ACTIVE`` and ``DEGRADED``, and in no other.
    """

    NOT_ACQUIRED = "not_acquired"
    """There is no seat yet; perhaps the program is waiting for one."""
    ACTIVE = "active"
    """The seat is held, and the last heartbeat was answered."""
    DEGRADED = "degraded"
    """A heartbeat was missed, or the lease has run out and its grace has not: keep working, and keep trying."""
    LOST = "lost"
    """The lease and its grace have run out, or the seat was given back: somebody else may have it."""
    REVOKED = "revoked"
    """Somebody ended the session or the right to it."""
    RELEASED = "released"
    """This program gave the seat back."""


AT_WORK = frozenset({State.ACTIVE, State.DEGRADED})
"""The states in which there is a seat, and work goes on."""


@dataclass(frozen=True, kw_only=True)
class Seats:
    """Seats of the license when the seat was acquired: in use, and the cap."""

    in_use: int
    max: int


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What the service granted. Its times are by the service's clock.

    ``lease_token`` proves the grant offline (``seatlease.verify``). ``asked_at`` is the reading of
    ``seatlease.clock.elapsed`` just before the request was sent: the service decided at or after that moment, so what
    is reckoned from it ends never later than the true lease.
    """

    session_id: str
    license_id: str
    lease_expires_at: datetime
    grace_ends_at: datetime
    heartbeat_interval: timedelta
    server_time: datetime
    lease_token: str | None
    seats: Seats
    asked_at: float

    @property
    def expires_at_elapsed(self) -> float:
        """When the lease runs out, as a reading of ``seatlease.clock.elapsed``."""
        return self.asked_at + (self.lease_expires_at - self.server_time).total_seconds()

    @property
    def grace_ends_at_elapsed(self) -> float:
        """When the grace after it runs out, likewise."""
        return self.asked_at + (self.grace_ends_at - self.server_time).total_seconds()
