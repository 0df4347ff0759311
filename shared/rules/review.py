"""Review: what is wrong with a document that somebody made by hand although each of its fields has the right form."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.seat_use import SeatUse


class Level(StrEnum):
    """Whether something stands in the way, or is only worth a look."""

    ERROR = "error"
    NOTICE = "notice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that an admin should know of a document, in plain words: which field, what is there, what should be."""

    field: str
    level: Level
    found: str
    expected: str


def organization_problems(organization: Organization, *, use: SeatUse) -> list[Problem]:
    """Look at an organization's cap beside the seats in use."""
    cap = organization.max_concurrent_seats
    return [] if cap is None or use.total <= cap else [_below_use(cap, in_use=use.total)]


def license_problems(
    license_: License, *, organization: Organization | None, use: SeatUse, same_key: Sequence[str]
) -> list[Problem]:
    """Look at a license beside its organization, the seats in use, and the other licenses with its key (their ids)."""
    problems = []
    if same_key:
        others = ", ".join(sorted(same_key))
        found = f"the same key as that of: {others}"
        expected = "a key of its own; remove the field to get a new one. Until then seats of either may be refused"
        problems.append(Problem(field="license_key", level=Level.ERROR, found=found, expected=expected))
    if license_.license_key != license_.license_key.strip():
        found = "a key that begins or ends with a blank, which nobody sees and programs do not send"
        problems.append(
            Problem(field="license_key", level=Level.NOTICE, found=found, expected="the key without the blanks")
        )
    seats, in_use = license_.max_concurrent_seats, use.of(license_.license_id)
    if in_use > seats:
        problems.append(_below_use(seats, in_use=in_use))
    cap = None if organization is None else organization.max_concurrent_seats
    if cap is not None and seats > cap:
        found = f"{seats} seats, more than the {cap} that the organization may use of all its licenses together"
        expected = f"at most {cap}; or a higher max_concurrent_seats of the organization, or null there for no cap"
        problems.append(Problem(field="max_concurrent_seats", level=Level.NOTICE, found=found, expected=expected))
    return problems


def _below_use(cap: int, *, in_use: int) -> Problem:
    return Problem(
        field="max_concurrent_seats",
        level=Level.NOTICE,
        found=f"{cap}, and {in_use} seats were in use when this was checked",
        expected="nothing to do: nobody is thrown out, and no seat is given until enough have been given back",
    )
