"""Denials: which users got no seat because a cap was reached, how often they asked, and how many seats there were.

A client that asks again and again must not inflate the report. So the refused attempts of one user for one license
within one minute are one event, which counts them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

from shared.rules.acquire import CapReached, Device, OrganizationSeatLimitReached, SeatLimitReached
from shared.rules.audit import AuditEvent, AuditType, Detail
from shared.rules.digest import digest
from shared.rules.user import User

WINDOW_FOR = timedelta(minutes=1)
"""Attempts within this time are counted together, from the full minute on."""

SETTLES_FOR = timedelta(seconds=30)
"""A decision is written within this time. A request may not take nearly as long."""


class Limit(StrEnum):
    """Whether the cap of the license or of the organization was reached."""

    LICENSE = "license"
    ORGANIZATION = "organization"


@dataclass(frozen=True, kw_only=True, slots=True)
class Denied:
    """One refused attempt: the user, the device, the license, and the cap that was reached.

    ``session_id`` is the id that the session would have. ``for_waiting`` seats were free, for users in the line.
    """

    session_id: str
    license_id: str
    user: User
    device: Device
    limit: Limit
    for_waiting: int = 0


def limit_of(refusal: CapReached) -> Limit:
    match refusal:
        case SeatLimitReached():
            return Limit.LICENSE
        case OrganizationSeatLimitReached():
            return Limit.ORGANIZATION
        case _:
            assert_never(refusal)


def denied(attempt: Denied, *, use: Mapping[str, Detail], now: datetime) -> AuditEvent:
    """Report a refused attempt. All attempts of one user for one license in the minute of ``now`` have the same event.

    Its name and its time depend on nothing else, so instances that write it at the same time agree. The other fields
    are of the latest attempt, and the number of attempts is added where the event is stored. ``use`` holds the seats in
    use and the caps at this moment.
    """
    user_id, license_id = attempt.user.user_id, attempt.license_id
    return AuditEvent(
        name=denial_name(user_id=user_id, license_id=license_id, now=now),
        type=AuditType.DENIED,
        at=minute_of(now),
        actor=user_id,
        license_id=license_id,
        session_id=attempt.session_id,
        user_id=user_id,
        hardware_id=attempt.device.hardware_id,
        details={
            "limit": attempt.limit.value,
            "for_waiting": attempt.for_waiting,
            "last_attempt_at": now,
            "ip_address": attempt.device.ip_address,
            "user_agent": attempt.device.user_agent,
            "user_email": attempt.user.email,
            **use,
        },
    )


def denial_name(*, user_id: str, license_id: str, now: datetime) -> str:
    """The name of the event for the minute of ``now``."""
    return _name_of(user_id, license_id, minute_of(now))


@lru_cache(maxsize=10_000)
def _name_of(user_id: str, license_id: str, minute: datetime) -> str:
    return digest(AuditType.DENIED, user_id, license_id, minute.isoformat())


def minute_of(time: datetime) -> datetime:
    """The beginning of the minute: the ``at`` of a denial."""
    return time.replace(second=0, microsecond=0)
