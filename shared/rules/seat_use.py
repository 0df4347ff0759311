"""The organization's counters of seats in use, and the checksum that shows an edit of them by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar

_COUNTED, _GRANTS = "counted", "grants"


Pool = tuple[str, str]
"""The reserved seats of a license for a group: the license's id, and the group."""


@lru_cache(maxsize=10_000)
def checksum_weight(counted: str) -> int:
    """The weight of one counter in the checksum: a positive 31-bit number, computed from its name."""
    return int.from_bytes(sha256(counted.encode()).digest()[:4], "big") >> 1 | 1


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatUse:
    """Seats of sessions that have not ended, per license, and the number of all grants so far in this ``epoch``.

    ``by_pool`` has those of them that are reserved for a group. What has no seat in use may be absent.

    An epoch begins when counters are made and no grant is on record. It is part of the names of grants, so that an
    organization that was deleted and restored uses no name again. Counters of an earlier version have none.
    """

    by_license: Mapping[str, int] = field(default_factory=dict)
    by_pool: Mapping[Pool, int] = field(default_factory=dict)
    grants: int = 0
    epoch: str | None = None

    @property
    def total(self) -> int:
        return sum(self.by_license.values())

    @property
    def checksum(self) -> int:
        """A weighted sum over the counters, stored with them.

        A change by the functions also adds its weight. An edit of a counter by hand does not. Then the checksum does
        not fit, and the counters are counted again from the sessions. The checksum of no seats is not 0, so counters
        that were deleted and then added to do not fit either.
        """
        begun = 0 if self.epoch is None else checksum_weight(self.epoch)
        added = checksum_change(self.by_license, grants=self.grants, by_pool=self.by_pool)
        return checksum_weight(_COUNTED) + begun + added

    def of(self, license_id: str) -> int:
        return self.by_license.get(license_id, 0)

    def in_pool(self, license_id: str, group: str) -> int:
        return self.by_pool.get((license_id, group), 0)

    def in_scope(self, license_id: str | None) -> int:
        """Seats in use of a license, or with ``None`` of the organization."""
        return self.total if license_id is None else self.of(license_id)

    def changed(self, changes: Mapping[str, int], *, granted: int, pools: Mapping[Pool, int]) -> "SeatUse":
        """The counters after these changes, without those that are 0."""
        return SeatUse(
            by_license=_sum(self.by_license, changes),
            by_pool=_sum(self.by_pool, pools),
            grants=self.grants + granted,
            epoch=self.epoch,
        )


_Key = TypeVar("_Key")


def _sum(held: Mapping[_Key, int], changes: Mapping[_Key, int]) -> Mapping[_Key, int]:
    if not held and not changes:
        return held
    after = {key: held.get(key, 0) + changes.get(key, 0) for key in {*held, *changes}}
    return {key: number for key, number in after.items() if number != 0}


def checksum_change(by_license: Mapping[str, int], *, grants: int, by_pool: Mapping[Pool, int]) -> int:
    # The slashes keep the names apart: no document id and no group can contain one.
    seats = sum(checksum_weight(f"licenses/{license_id}") * held for license_id, held in by_license.items())
    reserved = sum(checksum_weight(f"licenses/{of}/pools/{group}") * held for (of, group), held in by_pool.items())
    return seats + reserved + checksum_weight(_GRANTS) * grants
