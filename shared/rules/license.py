"""A license: a key with a number of seats."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32. It leaves out I, L, O and U, which are mistaken for 1, 0 and V when a key is read aloud."""

GROUPS, GROUP_LENGTH = 5, 5
_MISTAKEN = str.maketrans("ILOU", "110V")
_BETWEEN_GROUPS = re.compile(r"[\s\u2010-\u2015\u2212-]+")
_GENERATED = re.compile(f"[{ALPHABET}]{{{GROUPS * GROUP_LENGTH}}}")

Feature = str | int | float | bool
"""What the vendor sold, in a form of the vendor's own. Seatlease gives it back and does not read it."""

HEARTBEATS_PER_LEASE = 3
"""Heartbeats in one lease. Two in a row may be lost."""

EARLY_HEARTBEATS_PER_INTERVAL = 4
"""A heartbeat within this fraction (a quarter) of the interval after the last one writes nothing."""


def early_within(lease_for: timedelta) -> timedelta:
    """How soon after the last heartbeat another one changes nothing, for a lease of this length."""
    return lease_for / (HEARTBEATS_PER_LEASE * EARLY_HEARTBEATS_PER_INTERVAL)


@dataclass(frozen=True, kw_only=True, slots=True)
class License:
    """One license of an organization. If ``expires_at`` is ``None``, it never expires.

    ``grace_for`` is how long after its lease a program may work on if it cannot reach the service. It must be earned.
    If ``max_instances`` is ``None``, any number of instances may work on one seat. So may a user with any number of
    devices, if ``max_devices_per_user`` is ``None``, and users of all groups, if ``allowed_groups`` is.

    ``reservations`` are the seats that only users of a group may use. ``overdraft_seats`` are given above the cap. A
    user who is idle for ``idle_for`` loses the seat. A user may borrow a seat for ``borrow_for``.
    """

    license_id: str
    license_key: str
    name: str
    max_concurrent_seats: int
    expires_at: datetime | None
    is_active: bool
    lease_for: timedelta
    grace_for: timedelta
    max_instances: int | None = None
    starts_at: datetime | None = None
    features: Mapping[str, Feature] = field(default_factory=dict)
    allowed_groups: frozenset[str] | None = None
    reservations: Mapping[str, int] = field(default_factory=dict)
    max_devices_per_user: int | None = None
    overdraft_seats: int = 0
    idle_for: timedelta | None = None
    borrow_for: timedelta = timedelta(0)
    max_borrowed_seats: int | None = None

    @property
    def heartbeat_every(self) -> timedelta:
        """The longest time that a client should leave between two heartbeats."""
        return self.lease_for / HEARTBEATS_PER_LEASE

    @property
    def early_within(self) -> timedelta:
        """How soon after the last heartbeat another one changes nothing."""
        return early_within(self.lease_for)

    def grace_ends_at(self, lease_expires_at: datetime, *, held_for: timedelta) -> datetime:
        """Until when a program with this lease may work on if it cannot reach the service.

        Its seat is free when the lease ends. ``held_for`` is how long the tenure has lasted. Before one lease it has no
        grace: otherwise many devices could take one seat in turn, within seconds, and each have one. The grace ends
        with the contract at the latest, because a signed grace cannot be taken back.
        """
        if held_for < self.lease_for:
            return lease_expires_at
        ends_at = lease_expires_at + self.grace_for
        return ends_at if self.expires_at is None else min(ends_at, max(self.expires_at, lease_expires_at))

    def has_started(self, *, now: datetime) -> bool:
        """Whether the contract has begun. At the instant of ``starts_at`` it has."""
        return self.starts_at is None or now >= self.starts_at

    def is_expired(self, *, now: datetime) -> bool:
        """Whether the contract has ended. At the instant of ``expires_at`` it has."""
        return self.expires_at is not None and now >= self.expires_at


def normal_key(license_key: str) -> str:
    """Give the normal form of a key. Two texts are the same key if their normal forms are the same.

    A generated key is read aloud and typed in. Case, blanks, hyphens and letters that look alike do not matter for it.
    Of a vendor's own key every letter counts, but for blanks around it.
    """
    typed = _BETWEEN_GROUPS.sub("", license_key).upper().translate(_MISTAKEN)
    if _GENERATED.fullmatch(typed) is None:
        return license_key.strip()
    return "-".join(typed[at : at + GROUP_LENGTH] for at in range(0, len(typed), GROUP_LENGTH))
