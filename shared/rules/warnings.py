"""What owners and admins should know about their seats before their users tell them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.rules.license import License
from shared.rules.organization import Organization

NEARLY_FULL_PERCENT = 80
NEARLY_FULL_FOR = timedelta(minutes=15)
ENDS_WITHIN = timedelta(days=30)
"""From when on the end of a contract is announced."""

_DAY = timedelta(days=1)


class WarningCode(StrEnum):
    """The kinds of warnings, the most urgent first."""

    FULL = "FULL"
    NEARLY_FULL = "NEARLY_FULL"
    DENIED_TODAY = "DENIED_TODAY"
    LICENSE_ENDS = "LICENSE_ENDS"
    BORROWED_END_TODAY = "BORROWED_END_TODAY"


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatWarning:
    """One warning. Without ``license_id`` it is about the whole organization.

    ``number`` is how many users wait (full), percent (nearly full), users (denied), days left, or borrowed seats.
    ``at`` is the end of the contract, or the first end of a borrowed seat.
    """

    code: WarningCode
    license_id: str | None
    number: int
    at: datetime | None = None
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatsNow:
    """What the warnings of a license rest on.

    ``held_long`` are the seats whose holders took them at least ``NEARLY_FULL_FOR`` ago. It is needed only if the
    license ``is_nearly_full``. ``denied_today`` are the users who got no seat today, in UTC.
    """

    license: License
    in_use: int
    waiting: int
    held_long: int
    denied_today: int
    borrowed_until: Sequence[datetime]


def is_nearly_full(license_: License, *, in_use: int) -> bool:
    """Whether so many seats are in use that it is a warning if it lasts, and one more user still gets a seat."""
    return _is_nearly(license_, in_use) and not _is_full(license_, in_use)


def seat_warnings(
    organization: Organization, licenses: Sequence[SeatsNow], *, in_use: int, now: datetime
) -> tuple[SeatWarning, ...]:
    """Find the warnings of an organization, the most urgent first. A license that gives no seats is not full."""
    cap = organization.max_concurrent_seats
    found = [warning for each in licenses for warning in _of_license(each, now=now)]
    if cap and in_use >= cap:
        waiting = sum(each.waiting for each in licenses)
        message = f"All {cap} seats of the organization are in use.{_who_wait(waiting)}"
        found.append(SeatWarning(code=WarningCode.FULL, license_id=None, number=waiting, message=message))
    order = [*WarningCode]
    return tuple(sorted(found, key=lambda each: (order.index(each.code), each.license_id or "")))


def _of_license(seats: SeatsNow, *, now: datetime) -> Iterator[SeatWarning]:
    license_ = seats.license
    license_id, name, cap = license_.license_id, license_.name or license_.license_id, license_.max_concurrent_seats
    if license_.is_active and license_.has_started(now=now) and not license_.is_expired(now=now):
        if _is_full(license_, seats.in_use):
            message = f"All {cap + license_.overdraft_seats} seats of {name} are in use.{_who_wait(seats.waiting)}"
            yield SeatWarning(code=WarningCode.FULL, license_id=license_id, number=seats.waiting, message=message)
        elif _is_nearly(license_, min(seats.in_use, seats.held_long)):
            percent = 100 * seats.in_use // cap
            minutes = int(NEARLY_FULL_FOR.total_seconds() // 60)
            message = f"{name} has {seats.in_use} of {cap} seats in use, and has been that busy for {minutes} minutes."
            yield SeatWarning(code=WarningCode.NEARLY_FULL, license_id=license_id, number=percent, message=message)
        if license_.expires_at is not None and license_.expires_at <= now + ENDS_WITHIN:
            days = -((now - license_.expires_at) // _DAY)
            message = f"{name} ends {'within a day' if days == 1 else f'in {days} days'}."
            yield SeatWarning(
                code=WarningCode.LICENSE_ENDS,
                license_id=license_id,
                number=days,
                at=license_.expires_at,
                message=message,
            )
    if denied := seats.denied_today:
        message = f"{_users(denied)} got no seat of {name} today, because all were in use."
        yield SeatWarning(code=WarningCode.DENIED_TODAY, license_id=license_id, number=denied, message=message)
    if soon := [until for until in seats.borrowed_until if now < until <= now + _DAY]:
        said = "1 borrowed seat ends" if len(soon) == 1 else f"{len(soon)} borrowed seats end"
        message = f"{said} within a day: {name}."
        yield SeatWarning(
            code=WarningCode.BORROWED_END_TODAY,
            license_id=license_id,
            number=len(soon),
            at=min(soon),
            message=message,
        )


def _is_full(license_: License, in_use: int) -> bool:
    most = license_.max_concurrent_seats + license_.overdraft_seats
    return most > 0 and in_use >= most


def _is_nearly(license_: License, in_use: int) -> bool:
    cap = license_.max_concurrent_seats
    return cap > 0 and 100 * in_use >= NEARLY_FULL_PERCENT * cap


def _who_wait(waiting: int) -> str:
    return "" if not waiting else f" {_users(waiting)} {'waits' if waiting == 1 else 'wait'} for one."


def _users(number: int) -> str:
    return "1 user" if number == 1 else f"{number} users"
