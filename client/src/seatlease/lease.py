"""Lease: until when a session holds its seat, by a clock that no user can set."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

Feature = str | int | float | bool
"""One thing that the vendor sold, in a form of the vendor's own."""


class State(str, Enum):
    """The state of a seat. Work may go on in ``ACTIVE`` and ``DEGRADED`` only."""

    NOT_ACQUIRED = "not_acquired"
    """There is no seat yet. The program may be waiting for one."""
    ACTIVE = "active"
    """The seat is held, and the last heartbeat was answered. A borrowed seat needs none."""
    DEGRADED = "degraded"
    """A heartbeat was missed, or the lease has run out but its grace has not. Keep working."""
    LOST = "lost"
    """The lease and its grace have run out, or the seat was given back. Another user may have it."""
    IDLE = "idle"
    """The user had done nothing for so long that the license took the seat. The next ``active()`` asks for it again."""
    REVOKED = "revoked"
    """An admin ended the session, or the right to it is gone."""
    RELEASED = "released"
    """This program gave the seat back, or left a borrowed one for its next start."""


AT_WORK = frozenset({State.ACTIVE, State.DEGRADED})
"""The states in which work may go on."""


@dataclass(frozen=True, kw_only=True)
class Seats:
    """The license when the seat was acquired: its seats in use, and its cap."""

    in_use: int
    max: int


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What the service granted. Its times are by the service's clock.

    ``lease_token`` proves the grant offline (``seatlease.verify``). ``asked_at`` is the reading of the client's
    clock (seconds) just before the request was sent. The service decided at or after that moment, so an end computed
    from it is never later than the true end. ``features`` are what the vendor sold. ``license_expires_at`` is ``None``
    if the license has no end, or the service is too old to say it. Until ``borrowed_until`` the seat needs no service.
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
    features: Mapping[str, Feature] = field(default_factory=dict, hash=False)
    license_expires_at: datetime | None = None
    borrowed_until: datetime | None = None

    @property
    def expires_at_elapsed(self) -> float:
        """When the lease runs out, as a reading of ``seatlease._service.clock.elapsed``."""
        return self.asked_at + (self.lease_expires_at - self.server_time).total_seconds()

    @property
    def grace_ends_at_elapsed(self) -> float:
        """When the grace runs out, as a reading of ``seatlease._service.clock.elapsed``."""
        return self.asked_at + (self.grace_ends_at - self.server_time).total_seconds()

    @property
    def borrowed_until_elapsed(self) -> float:
        """When the borrowed time runs out, as a reading of the same; minus infinity if the seat is not borrowed."""
        if self.borrowed_until is None:
            return -math.inf
        return self.asked_at + (self.borrowed_until - self.server_time).total_seconds()
