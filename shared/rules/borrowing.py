"""Borrowing: a seat whose lease ends at a time of the user's choice, for a device without a connection.

Until then nothing can take the seat back from the device: its lease token is signed. So a borrowed seat counts against
every cap until its end, and no heartbeat shortens it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.rules.license import License


@dataclass(frozen=True, kw_only=True, slots=True)
class BorrowingOff:
    """The license lends no seats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BorrowTooShort:
    """The seat would have to be given back before now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BorrowTooLong:
    """The license lends a seat until ``latest`` at most."""

    latest: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class BorrowedSeatsLimitReached:
    """As many seats are borrowed as the license lends. The first of them ends at ``earliest_expiry_at``."""

    borrowed: int
    max_borrowed: int
    earliest_expiry_at: datetime | None


BorrowRefusal = BorrowingOff | BorrowTooShort | BorrowTooLong | BorrowedSeatsLimitReached


def refuse_borrow(
    license_: License, until: datetime, *, away_until: Iterable[datetime], now: datetime
) -> BorrowRefusal | None:
    """Refuse to lend a seat; ``None`` if nothing stands against it.

    ``away_until`` are the ends of the license's other borrowed seats. They are asked only if it limits their number.
    """
    if not license_.borrow_for:
        return BorrowingOff()
    if until <= now:
        return BorrowTooShort()
    latest = now + license_.borrow_for
    if license_.expires_at is not None:
        latest = min(latest, license_.expires_at)
    if until > latest:
        return BorrowTooLong(latest=latest)
    most = license_.max_borrowed_seats
    if most is None:
        return None
    away = [*away_until]
    if len(away) < most:
        return None
    earliest = min(away, default=None)
    return BorrowedSeatsLimitReached(borrowed=len(away), max_borrowed=most, earliest_expiry_at=earliest)
