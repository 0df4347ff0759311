"""A license: a key with a number of seats."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HEARTBEATS_PER_LEASE = 3
"""The client is told to come back after this fraction of its lease, so that two heartbeats in a row may be lost."""

EARLY_HEARTBEATS_PER_INTERVAL = 4
"""A heartbeat within this fraction of the interval after the last one is too soon to be worth a write."""

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class License:
    """One license of an organization. ``expires_at`` of ``None`` means that it never expires.

    ``grace_for`` is how long after its lease a program may work on that cannot reach the service.
    """

    license_id: str
    license_key: str
    name: str
    max_concurrent_seats: int
    expires_at: datetime | None
    is_active: bool
    lease_for: timedelta
    grace_for: timedelta

    @property
    def heartbeat_every(self) -> timedelta:
        """The longest time between two heartbeats that a client should leave."""
        return self.lease_for / HEARTBEATS_PER_LEASE

    @property
    def early_within(self) -> timedelta:
        """How soon after the last heartbeat another one changes nothing."""
        return self.heartbeat_every / EARLY_HEARTBEATS_PER_INTERVAL

    def grace_ends_at(self, lease_expires_at: datetime) -> datetime:
        """Until when a program may work on that got this lease and cannot reach the service.

        A permission for the program and nothing else: its seat is free when the lease ends. It ends with the contract,
        for what was signed cannot be taken back.
        """
        # Of a lease that somebody wrote, to the end of all times at most.
        last = _END_OF_TIME if self.expires_at is None else max(self.expires_at, lease_expires_at)
        return lease_expires_at + min(self.grace_for, last - lease_expires_at)

    def is_expired(self, *, now: datetime) -> bool:
        """Whether the contract has ended: at the very instant of ``expires_at`` it has."""
        return self.expires_at is not None and now >= self.expires_at
