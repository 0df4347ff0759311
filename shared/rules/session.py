"""A session: one user on one device holding one seat.

::

      |   live: holds its seat   |   lapsed: seat is free, not yet ended       |   ended
    started_at            lease_expires_at                                  ended_at
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from shared.rules.digest import digest


class EndReason(StrEnum):
    """Why a session ended."""

    RELEASED = "released"
    EXPIRED = "expired"
    REVOKED_BY_ADMIN = "revoked_by_admin"
    USER_DEACTIVATED = "user_deactivated"
    LICENSE_DEACTIVATED = "license_deactivated"
    LICENSE_EXPIRED = "license_expired"
    ORGANIZATION_DEACTIVATED = "organization_deactivated"
    DOCUMENT_REMOVED = "document_removed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """The present or latest tenure of one user on one device for one license.

    An ended session without ``end_reason`` was ended by an admin by hand.
    """

    session_id: str
    license_id: str
    user_id: str
    user_email: str | None
    hardware_id: str
    ip_address: str | None
    user_agent: str | None
    started_at: datetime
    last_heartbeat_at: datetime
    lease_expires_at: datetime
    ended_at: datetime | None = None
    end_reason: EndReason | None = None


@lru_cache(maxsize=10_000)  # an acquire asks four times for the same one
def session_id_of(*, license_id: str, user_id: str, hardware_id: str) -> str:
    """The id of the one session that this user on this device can have for this license: 26 characters.

    The same three always give the same id. That makes acquire idempotent.
    """
    return digest(license_id, user_id, hardware_id)


def is_open(session: Session) -> bool:
    """Whether the session still counts in ``usage/seats``: it is live, or lapsed and not yet ended."""
    return session.ended_at is None


def is_live(session: Session, *, now: datetime) -> bool:
    """Whether the session holds its seat. At the instant of ``lease_expires_at`` it does not."""
    return session.ended_at is None and now < session.lease_expires_at


def ended(session: Session, *, reason: EndReason, now: datetime) -> Session:
    """End the session. Its seat is free from ``now`` on, or since its lease ran out."""
    return replace(session, ended_at=now, end_reason=reason)


def is_ended_by_hand(session: Session) -> bool:
    """Whether an admin wrote an end into the document. It has no reason; the functions always write one."""
    return session.ended_at is not None and session.end_reason is None


def revoked_by_hand(session: Session, *, now: datetime) -> Session:
    """Give an end by hand its reason: only admins can edit the document.

    The admin may have typed any time. The real end was after the last heartbeat and before ``now``, so the time is
    limited to these.
    """
    ended_at = None if session.ended_at is None else min(max(session.ended_at, session.last_heartbeat_at), now)
    return replace(session, ended_at=ended_at, end_reason=EndReason.REVOKED_BY_ADMIN)
