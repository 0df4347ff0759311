"""A session: one user on one device holding one seat.

::

      |   live: holds its seat   |   lapsed: seat is free, record still open   |   ended
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
    """The current or latest tenure of a seat by one user on one device under one license.

    ``end_reason`` may be ``None`` on an ended session: then a person ended it by hand.
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


@lru_cache(maxsize=10_000)
def session_id_of(*, license_id: str, user_id: str, hardware_id: str) -> str:
    """Name the one session that this user on this device can have under this license: 26 characters.

    The same three always give the same name, which is what makes acquire idempotent.
    """
    return digest(license_id, user_id, hardware_id)


def is_open(session: Session) -> bool:
    """Whether the record still counts in ``usage/seats``: live, or lapsed and not yet ended."""
    return session.ended_at is None


def is_live(session: Session, *, now: datetime) -> bool:
    """Whether the session holds its seat. At the very instant of ``lease_expires_at`` it no longer does."""
    return session.ended_at is None and now < session.lease_expires_at


def ended(session: Session, *, reason: EndReason, now: datetime) -> Session:
    """End the session. Its seat is free from ``now`` on, or has been since the lease ran out."""
    return replace(session, ended_at=now, end_reason=reason)


def is_ended_by_hand(session: Session) -> bool:
    """Whether somebody wrote an end into the document, which gives no reason: the functions always give one."""
    return session.ended_at is not None and session.end_reason is None


def revoked_by_hand(session: Session, *, now: datetime) -> Session:
    """Give an end by hand its reason: whoever may edit the document is an admin.

    Its seat has been free since somebody wrote that end, which cannot have been before its last heartbeat, nor to come:
    whatever time they wrote, it was between the two.
    """
    ended_at = None if session.ended_at is None else min(max(session.ended_at, session.last_heartbeat_at), now)
    return replace(session, ended_at=ended_at, end_reason=EndReason.REVOKED_BY_ADMIN)
