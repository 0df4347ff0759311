"""Review: problems of a document whose fields have the right form, but do not fit other documents or each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.seat_use import SeatUse

LONG_GRACE = timedelta(days=1)
"""A longer grace is a notice."""


class Level(StrEnum):
    """An error stops the document from working; a notice is only worth a look."""

    ERROR = "error"
    NOTICE = "notice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A problem of a document, in words for an admin: the field, what it holds, and what it should hold."""

    field: str
    level: Level
    found: str
    expected: str


def organization_problems(organization: Organization, *, use: SeatUse) -> list[Problem]:
    """Compare an organization's cap with the seats in use."""
    cap = organization.max_concurrent_seats
    return [] if cap is None or use.total <= cap else [_below_use(cap, in_use=use.total)]


def license_problems(
    license_: License, *, organization: Organization | None, use: SeatUse, same_key: Sequence[str]
) -> list[Problem]:
    """Compare a license with its organization and the seats in use. ``same_key`` are the ids of others with its key."""
    problems = []
    if same_key:
        others = ", ".join(sorted(same_key))
        found = f"the same key as these licenses: {others}"
        expected = "its own key. Remove the field to get a new one. Until then both licenses may refuse seats"
        problems.append(Problem(field="license_key", level=Level.ERROR, found=found, expected=expected))
    if license_.license_key != license_.license_key.strip():
        found = "a key with a space before or after it; programs do not send the space"
        problems.append(
            Problem(field="license_key", level=Level.NOTICE, found=found, expected="the key without the space")
        )
    seats, in_use = license_.max_concurrent_seats, use.of(license_.license_id)
    if in_use > seats:
        problems.append(_below_use(seats, in_use=in_use))
    cap = None if organization is None else organization.max_concurrent_seats
    if cap is not None and seats > cap:
        found = f"{seats} seats, but the organization may use only {cap} over all its licenses"
        expected = f"at most {cap}, or a higher max_concurrent_seats in the organization (null: no cap)"
        problems.append(Problem(field="max_concurrent_seats", level=Level.NOTICE, found=found, expected=expected))
    if license_.grace_for > LONG_GRACE:
        seconds = license_.grace_for // timedelta(seconds=1)
        found = f"{seconds} seconds: each program that has held a seat for one lease may work offline for so long"
        expected = "at most 86400 (a day), unless many more programs may work offline than there are seats"
        problems.append(Problem(field="grace_seconds", level=Level.NOTICE, found=found, expected=expected))
    return problems


def _below_use(cap: int, *, in_use: int) -> Problem:
    return Problem(
        field="max_concurrent_seats",
        level=Level.NOTICE,
        found=f"{cap}, but {in_use} seats were in use when this was checked",
        expected="nothing to do: sessions go on, and no new seat is given until enough have been given back",
    )
