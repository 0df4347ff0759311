"""Pools: reservations divide the seats of a license into one pool for each group, and a common one.

::

    |<------------- max_concurrent_seats ------------->|<- overdraft_seats ->|
    | reserved for "design" | for "render" |          common pool            |

A session remembers its pool and is counted there until it ends. An admin may edit the reservations meanwhile. What a
group holds beyond its reservation then counts as common. So an edit throws no user out, and gives no seat twice.
"""

from collections.abc import Collection
from dataclasses import dataclass

from shared.rules.license import License
from shared.rules.seat_use import SeatUse


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeSeat:
    """A seat that a user may take. ``pool`` is the group that it is reserved for; ``None``: it is a common one."""

    pool: str | None
    is_overdraft: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolUse:
    """The seats of one pool: how many there are, and how many of them are in use."""

    group: str | None
    in_use: int
    max_seats: int


def free_seat(license_: License, groups: Collection[str], use: SeatUse) -> FreeSeat | None:
    """Find a seat for a user of these groups: a reserved one first, else a common one, else none.

    A seat is overdraft if the license's own seats, or the common pool's own seats, are all in use.
    """
    in_use, cap = use.of(license_.license_id), license_.max_concurrent_seats
    if in_use >= cap + license_.overdraft_seats:
        return None
    reservations = license_.reservations
    if not reservations:
        return FreeSeat(pool=None, is_overdraft=in_use >= cap)
    for group in groups:
        if use.in_pool(license_.license_id, group) < reservations.get(group, 0):
            return FreeSeat(pool=group, is_overdraft=in_use >= cap)
    common = _common(license_, use)
    if common.in_use >= common.max_seats + license_.overdraft_seats:
        return None
    return FreeSeat(pool=None, is_overdraft=in_use >= cap or common.in_use >= common.max_seats)


def reserved_for_others(license_: License, groups: Collection[str], use: SeatUse) -> int:
    """How many free seats are reserved for groups that the user is in none of.

    If an admin has reserved seats that are in use, they are free for nobody.
    """
    free = license_.max_concurrent_seats + license_.overdraft_seats - use.of(license_.license_id)
    others = (pool for pool in _reserved(license_, use) if pool.group not in groups)
    return max(0, min(free, sum(pool.max_seats - pool.in_use for pool in others)))


def overdraft_in_use(license_: License, use: SeatUse) -> int:
    """How many overdraft seats are in use. A seat that was given as one may have become an own seat since."""
    if not license_.overdraft_seats:
        return 0
    common = _common(license_, use)
    above = max(use.of(license_.license_id) - license_.max_concurrent_seats, common.in_use - common.max_seats, 0)
    return min(above, license_.overdraft_seats)


def pools(license_: License, use: SeatUse) -> tuple[PoolUse, ...]:
    """All pools of a license with reservations, the common one last; none if it has no reservations."""
    if not license_.reservations:
        return ()
    return (*_reserved(license_, use), _common(license_, use))


def _reserved(license_: License, use: SeatUse) -> list[PoolUse]:
    return [
        PoolUse(group=group, in_use=min(use.in_pool(license_.license_id, group), seats), max_seats=seats)
        for group, seats in sorted(license_.reservations.items())
    ]


def _common(license_: License, use: SeatUse) -> PoolUse:
    reserved = _reserved(license_, use)
    return PoolUse(
        group=None,
        in_use=use.of(license_.license_id) - sum(pool.in_use for pool in reserved),
        max_seats=max(0, license_.max_concurrent_seats - sum(pool.max_seats for pool in reserved)),
    )
