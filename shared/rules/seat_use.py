"""How many seats are taken: the organization's counters, and how to notice that somebody edited them by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

_COUNTED, _GRANTS = "counted", "grants"


def seal_weight(counted: str) -> int:
    """Weigh one of what is counted in the seal: a positive 31-bit number that follows from its name."""
    return int.from_bytes(sha256(counted.encode()).digest()[:4], "big") >> 1 | 1


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatUse:
    """Seats held by sessions that have not ended, per license, and how many seats were ever granted.

    Licenses without a seat in use may be absent. ``grants`` numbers the grants of an organization: 1, 2, 3 ...
    """

    by_license: Mapping[str, int] = field(default_factory=dict)
    grants: int = 0

    @property
    def total(self) -> int:
        """Seats in use in the whole organization."""
        return sum(self.by_license.values())

    @property
    def seal(self) -> int:
        """A weighted sum over the counters, kept beside them.

        Blind additions keep it up, for they add the weight of what they add; an edit by hand of one counter, which does
        not know the weights, breaks it, and the counters are then taken from the sessions again. Even of no seats it is
        not 0: counters that were deleted and have been added to since were never counted, and show it.
        """
        return seal_weight(_COUNTED) + seal_of(self.by_license, grants=self.grants)

    def of(self, license_id: str) -> int:
        """Seats in use of one license."""
        return self.by_license.get(license_id, 0)

    def changed(self, changes: Mapping[str, int], *, granted: int) -> "SeatUse":
        """Add the changes to the counters and leave out those that reach zero."""
        held = {key: self.of(key) + changes.get(key, 0) for key in {*self.by_license, *changes}}
        return SeatUse(
            by_license={key: number for key, number in held.items() if number != 0}, grants=self.grants + granted
        )


def seal_of(by_license: Mapping[str, int], *, grants: int) -> int:
    """Weigh changes of counters: by so much they change the seal."""
    # A license's id is told from the words by the slash, which no document id can hold.
    seats = sum(seal_weight(f"licenses/{license_id}") * held for license_id, held in by_license.items())
    return seats + seal_weight(_GRANTS) * grants
