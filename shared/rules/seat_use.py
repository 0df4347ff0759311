"""The organization's counters of seats in use, and the checksum that shows an edit of them by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

_COUNTED, _GRANTS = "counted", "grants"


def checksum_weight(counted: str) -> int:
    """The weight of one counter in the checksum: a positive 31-bit number, computed from its name."""
    return int.from_bytes(sha256(counted.encode()).digest()[:4], "big") >> 1 | 1


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatUse:
    """Seats of sessions that have not ended, per license, and the number of all grants so far in this ``epoch``.

    A license without a seat in use may be absent. An epoch begins when counters are made and no grant is on record. It
    is part of the names of grants, so that an organization that was deleted and restored uses no name again. Counters
    of an earlier version have none.
    """

    by_license: Mapping[str, int] = field(default_factory=dict)
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
        return checksum_weight(_COUNTED) + begun + checksum_change(self.by_license, grants=self.grants)

    def of(self, license_id: str) -> int:
        return self.by_license.get(license_id, 0)

    def in_scope(self, license_id: str | None) -> int:
        """Seats in use of a license, or with ``None`` of the organization."""
        return self.total if license_id is None else self.of(license_id)

    def changed(self, changes: Mapping[str, int], *, granted: int) -> "SeatUse":
        """The counters after these changes, without those that are 0."""
        held = {key: self.of(key) + changes.get(key, 0) for key in {*self.by_license, *changes}}
        return SeatUse(
            by_license={key: number for key, number in held.items() if number != 0},
            grants=self.grants + granted,
            epoch=self.epoch,
        )


def checksum_change(by_license: Mapping[str, int], *, grants: int) -> int:
    # The slash keeps a license id apart from the other names: no document id can contain one.
    seats = sum(checksum_weight(f"licenses/{license_id}") * held for license_id, held in by_license.items())
    return seats + checksum_weight(_GRANTS) * grants
