"""Denials: which users got no seat because a cap was reached, how often they asked, and how many seats there were.

A client that asks again and again must not inflate the report. So its attempts within one minute are one event.

::

      |         the minute: attempts are counted           |  settling: the last are written    |   final
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
"""An attempt at the end of the minute is written within this time. A request may not take nearly as long."""


CapReached = SeatLimitReached | OrganizationSeatLimitReached
"""The refusals for lack of seats."""


class Limit(StrEnum):
    """Whether the cap of the license or of the organization was reached."""

    LICENSE = "license"
    ORGANIZATION = "organization"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempts:
    """The attempts counted so far: when the first of the minute was refused, and their number."""

    first_at: datetime
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Denied:
    """One refused attempt: the user, the device, the license, and the cap that was reached.

    ``session_id`` is the id that the session would have. It identifies user, device and license together.
    """

    session_id: str
    license_id: str
    user: User
    device: Device
    limit: Limit


def limit_of(refusal: CapReached) -> Limit:
    match refusal:
        case SeatLimitReached():
            return Limit.LICENSE
        case OrganizationSeatLimitReached():
            return Limit.ORGANIZATION
        case _:
            assert_never(refusal)


def denial_name(*, session_id: str, now: datetime) -> str:
    """The name of the event for the minute of ``now``."""
    return _name_of(session_id, _minute_of(now))


@lru_cache(maxsize=10_000)
def _name_of(session_id: str, minute: datetime) -> str:
    return digest(AuditType.DENIED, session_id, minute.isoformat())


def is_same_minute(first_at: datetime, *, now: datetime) -> bool:
    """Whether attempts from ``first_at`` on are counted together with one at ``now``."""
    return _minute_of(first_at) == _minute_of(now)


def is_final(*, first_at: datetime, now: datetime) -> bool:
    """Whether no further attempt can be added to the event of the minute of ``first_at``."""
    # The spans are subtracted from now: a time typed in by hand may be the last possible one, and cannot be added to.
    return _minute_of(first_at) <= now - WINDOW_FOR - SETTLES_FOR


def denied(attempt: Denied, *, before: Attempts | None, use: Mapping[str, Detail], now: datetime) -> AuditEvent:
    """Report one more refused attempt, in addition to the attempts ``before`` in the same minute.

    ``use`` holds the seats in use and the caps at this moment.
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
