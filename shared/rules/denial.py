"""Denials: who could not work, how often they tried, and how many seats there were.

A client that polls must not inflate the report, so its attempts within one minute are one event with a number.

::

      |         the minute: attempts are counted           |   settling: the last are written   |   final
    10:15:00      first_at                last_attempt_at 10:16:00                            10:16:30
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

from shared.rules.acquire import Device, OrganizationSeatLimitReached, SeatLimitReached
from shared.rules.audit import AuditEvent, AuditType, Detail
from shared.rules.digest import digest
from shared.rules.user import User

WINDOW_FOR = timedelta(minutes=1)
"""Attempts of one device for one license are counted together for this long, from the full minute on."""

SETTLES_FOR = timedelta(seconds=30)
"""An attempt of the minute's last moment is written this long after it at most: far longer than a request may take."""


CapReached = SeatLimitReached | OrganizationSeatLimitReached
"""The refusals that more seats would have turned into a grant."""


class Limit(StrEnum):
    """Whose cap stood in the way."""

    LICENSE = "license"
    ORGANIZATION = "organization"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempts:
    """What was counted before: when the first attempt of the minute was refused, and how many were."""

    first_at: datetime
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Denied:
    """One refused attempt: who asked on which device for a seat of which license, and whose cap stood in the way.

    ``session_id`` names the session that would have been; it stands for user, device and license together.
    """

    session_id: str
    license_id: str
    user: User
    device: Device
    limit: Limit


def limit_of(refusal: CapReached) -> Limit:
    """Say whose cap it was."""
    match refusal:
        case SeatLimitReached():
            return Limit.LICENSE
        case OrganizationSeatLimitReached():
            return Limit.ORGANIZATION
        case _:
            assert_never(refusal)


def denial_name(*, session_id: str, now: datetime) -> str:
    """Name the event of the minute in which ``now`` falls."""
    return _name_of(session_id, _minute_of(now))


@lru_cache(maxsize=10_000)
def _name_of(session_id: str, minute: datetime) -> str:
    return digest(AuditType.DENIED, session_id, minute.isoformat())


def is_same_minute(first_at: datetime, *, now: datetime) -> bool:
    """Whether attempts from ``first_at`` on are counted together with one at ``now``."""
    return _minute_of(first_at) == _minute_of(now)


def is_final(*, first_at: datetime, now: datetime) -> bool:
    """Whether no further attempt can be added to the event of the minute of ``first_at``."""
    # The spans are taken from now: a time that somebody wrote by hand may be the last there is.
    return _minute_of(first_at) <= now - WINDOW_FOR - SETTLES_FOR


def denied(attempt: Denied, *, before: Attempts | None, use: Mapping[str, Detail], now: datetime) -> AuditEvent:
    """Report one more refused attempt, on top of those of the same minute ``before``.

    ``use`` are the seats in use and the caps at this moment.
    """
    first_at = now if before is None else before.first_at
    return AuditEvent(
        name=denial_name(session_id=attempt.session_id, now=now),
        type=AuditType.DENIED,
        at=first_at,
        actor=attempt.user.user_id,
        license_id=attempt.license_id,
        session_id=attempt.session_id,
        user_id=attempt.user.user_id,
        hardware_id=attempt.device.hardware_id,
        details={
            "limit": attempt.limit.value,
            "attempts": 1 if before is None else before.number + 1,
            "last_attempt_at": now,
            "ip_address": attempt.device.ip_address,
            "user_agent": attempt.device.user_agent,
            "user_email": attempt.user.email,
            **use,
        },
    )


def _minute_of(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)
