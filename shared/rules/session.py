"""A session: one user on one device holding one seat.

::

      |   live: holds its seat   |   lapsed: seat is free, not yet ended       |   ended
    started_at            lease_expires_at                                  ended_at
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from shared.rules.digest import digest
from shared.rules.license import License, early_within
from shared.rules.seat_use import Pool

MAX_INSTANCES = 50
"""The most instances with an id that a session remembers. The next one works too, but is neither remembered nor
reported. There is always room for the programs without one, so they take no place that a license's limit counts."""


class EndReason(StrEnum):
    """Why a session ended."""

    RELEASED = "released"
    RELEASED_ELSEWHERE = "released_elsewhere"
    EXPIRED = "expired"
    REVOKED_BY_ADMIN = "revoked_by_admin"
    USER_DEACTIVATED = "user_deactivated"
    LICENSE_DEACTIVATED = "license_deactivated"
    LICENSE_EXPIRED = "license_expired"
    ORGANIZATION_DEACTIVATED = "organization_deactivated"
    DOCUMENT_REMOVED = "document_removed"
    IDLE = "idle"


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """A program that works on a seat, as its requests name it.

    The processes that share a seat send one id. All programs that send none are one instance, whose id is ``None``.
    """

    instance_id: str | None
    ip_address: str | None
    last_heard_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """The present or latest tenure of one user on one device for one license.

    An ended session without ``end_reason`` was ended by an admin by hand. ``pool`` is the group whose reserved seat it
    holds; ``None`` if it holds a common one. ``borrowed_until`` is the end that the lease was lent for.
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
    instances: tuple[Instance, ...] = ()
    pool: str | None = None
    is_overdraft: bool = False
    borrowed_until: datetime | None = None


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


def is_borrowed(session: Session, *, now: datetime) -> bool:
    """Whether the device may use its seat without a connection, so that the seat cannot be taken back."""
    return session.borrowed_until is not None and now < session.borrowed_until and session.ended_at is None


def is_borrowed_until(session: Session, until: datetime) -> bool:
    """Whether the seat was lent for this time or for longer."""
    return session.borrowed_until is not None and session.borrowed_until >= until


def lease_until(borrowed_until: datetime | None, license_: License, *, now: datetime) -> datetime:
    """When a lease ends that starts anew now. It does not end before the time that the seat is borrowed for."""
    ends_at = now + license_.lease_for
    return ends_at if borrowed_until is None else max(ends_at, borrowed_until)


def grace_ends_at(session: Session, license_: License, *, now: datetime) -> datetime:
    """Until when a program with this lease may work on if it cannot reach the service. A borrowed seat has no grace."""
    if session.lease_expires_at == session.borrowed_until:
        return session.lease_expires_at
    return license_.grace_ends_at(session.lease_expires_at, held_for=now - session.started_at)


def ended(session: Session, *, reason: EndReason, now: datetime) -> Session:
    """End the session. Its seat is free from ``now`` on, or since its lease ran out."""
    return replace(session, ended_at=now, end_reason=reason)


def pool_change(session: Session, seats: int) -> dict[Pool, int]:
    """How many seats more its pool has in use: so many, if the session holds a reserved one."""
    return {} if session.pool is None else {(session.license_id, session.pool): seats}


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


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionOver:
    """The session ended before, and is never continued.

    ``reason`` is ``None`` if an admin ended it by hand.
    """

    reason: EndReason | None


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceLimitReached:
    """As many instances work on the seat as the license allows.

    ``earliest_expiry_at`` is when the first of them is forgotten unless it is heard of.
    """

    session_id: str
    instances: int
    max_instances: int
    earliest_expiry_at: datetime


def heard_of(session: Session, *, now: datetime) -> tuple[Instance, ...]:
    """The instances of a live session that hold its seat: those heard of within a lease."""
    since = now - _remembered_for(session)
    return tuple([each for each in session.instances if since < each.last_heard_at])


def noted(session: Session, instance: Instance) -> tuple[Instance, ...]:
    """The instances heard of when this one is, with it. A new one is left out if there are too many."""
    known = heard_of(session, now=instance.last_heard_at)
    after = [instance if each.instance_id == instance.instance_id else each for each in known]
    if instance not in after and _has_room(known, instance):
        after.append(instance)
    return tuple(after)


def known_as(session: Session, instance: Instance) -> Instance | None:
    """What the session remembers of this instance; ``None`` if it is new, or was not heard of for a lease."""
    for each in heard_of(session, now=instance.last_heard_at):
        if each.instance_id == instance.instance_id:
            return each
    return None


def is_news(session: Session, instance: Instance) -> bool:
    """Whether it is an instance that the session does not remember and will, or one that has moved to this address."""
    known = known_as(session, instance)
    if known is None:
        return _has_room(heard_of(session, now=instance.last_heard_at), instance)
    return known.ip_address != instance.ip_address


def refuse_instance(session: Session, license_: License, instance: Instance) -> InstanceLimitReached | None:
    """Refuse one instance more than the license allows; ``None`` if there is room, or if it is known.

    Requests without an instance id are neither counted nor refused: nothing tells their programs apart.
    """
    most = license_.max_instances
    if most is None or instance.instance_id is None or known_as(session, instance) is not None:
        return None
    counted = _named(heard_of(session, now=instance.last_heard_at))
    if len(counted) < most:
        return None
    return InstanceLimitReached(
        session_id=session.session_id,
        instances=len(counted),
        max_instances=most,
        earliest_expiry_at=min(each.last_heard_at for each in counted) + _remembered_for(session),
    )


def _has_room(known: Sequence[Instance], instance: Instance) -> bool:
    return instance.instance_id is None or len(_named(known)) < MAX_INSTANCES


def _named(instances: Sequence[Instance]) -> list[Instance]:
    return [each for each in instances if each.instance_id is not None]


def _remembered_for(session: Session) -> timedelta:
    # An early heartbeat is answered with the lease and not noted. So an instance is remembered that much longer.
    lease_for = session.lease_expires_at - session.last_heartbeat_at
    return lease_for + early_within(lease_for)
