"""Audit events: what happened to a seat, who did it and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.rules.digest import digest
from shared.rules.session import EndReason, Session, revoked_by_hand

SYSTEM = "system"
"""The actor of what no person asked for: a lease that ran out, a counter that was repaired."""

CONSOLE = "console"
"""The actor of what somebody did by hand in the Firebase console, who is not known to us."""

_LONG_KEY = 14
"""Of a license key of 12 characters or more, quotes not counted, the last four may be told."""

Detail = str | int | bool | None | datetime | Mapping[str, "Detail"] | Sequence[Mapping[str, "Detail"]]


class AuditType(StrEnum):
    """The kinds of events."""

    ACQUIRED = "session.acquired"
    DENIED = "session.denied"
    RELEASED = "session.released"
    EXPIRED = "session.expired"
    REVOKED = "session.revoked"
    USAGE_REPAIRED = "usage.repaired"
    ORGANIZATION_EDITED = "organization.edited"
    USER_EDITED = "user.edited"
    LICENSE_EDITED = "license.edited"


ENDS = frozenset({AuditType.RELEASED, AuditType.EXPIRED, AuditType.REVOKED})
"""What tells of the end of a tenure."""


class EditKind(StrEnum):
    """What an admin did to a document."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEvent:
    """One event. ``name`` follows from what happened, so that an organization never reports the same thing twice.

    ``grant_number`` counts the grants of an organization without a gap; only ``session.acquired`` has one.
    """

    name: str
    type: AuditType
    at: datetime
    actor: str
    license_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    hardware_id: str | None = None
    grant_number: int | None = None
    details: Mapping[str, Detail]


def grant_name(grant_number: int) -> str:
    """Name the event of a grant."""
    return digest(AuditType.ACQUIRED, str(grant_number))


def acquired(session: Session, *, grant_number: int, details: Mapping[str, Detail]) -> AuditEvent:
    """Report the start of a tenure; the actor is its user.

    The event is named after the grant's number. Two instances that decide at the same time both believe theirs to be
    the next grant, so both create the same document: one of them fails and reads again.
    """
    return AuditEvent(
        name=grant_name(grant_number),
        type=AuditType.ACQUIRED,
        at=session.started_at,
        actor=session.user_id,
        license_id=session.license_id,
        session_id=session.session_id,
        user_id=session.user_id,
        hardware_id=session.hardware_id,
        grant_number=grant_number,
        details={
            "ip_address": session.ip_address,
            "user_agent": session.user_agent,
            "user_email": session.user_email,
            **details,
        },
    )


def ended(session: Session, *, actor: str) -> AuditEvent:
    """Report the end of a tenure: released, expired or revoked, as its reason says."""
    reason, at = session.end_reason, session.ended_at
    if reason is None or at is None:
        message = f"session {session.session_id} has not ended: there is nothing to report"
        raise ValueError(message)
    kind = {EndReason.RELEASED: AuditType.RELEASED, EndReason.EXPIRED: AuditType.EXPIRED}.get(reason, AuditType.REVOKED)
    details: dict[str, Detail] = {
        "reason": reason.value,
        "started_at": session.started_at,
        "last_heartbeat_at": session.last_heartbeat_at,
        "lease_expires_at": session.lease_expires_at,
    }
    return AuditEvent(
        # That a tenure ends once is seen to by the condition on its session. The time is part of the name for the
        # session that a person opened again by hand: its second end is another event and must not fail on the first.
        name=digest("session.ended", session.session_id, session.started_at.isoformat(), at.isoformat()),
        type=kind,
        at=at,
        actor=actor,
        license_id=session.license_id,
        session_id=session.session_id,
        user_id=session.user_id,
        hardware_id=session.hardware_id,
        details=details,
    )


def ended_by_hand(session: Session, *, now: datetime) -> AuditEvent:
    """Report an end that somebody wrote into the session, or one told before whose reason somebody took out."""
    return ended(revoked_by_hand(session, now=now), actor=CONSOLE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenure:
    """A seat's having been held: by whom, and since when."""

    session_id: str
    license_id: str
    user_id: str
    hardware_id: str
    started_at: datetime


def removed(tenure: Tenure, *, now: datetime) -> AuditEvent:
    """Report that somebody deleted a session that had not ended: whoever may delete it is an admin.

    Named after the tenure alone, so however often its end is noticed, it is told once.
    """
    return AuditEvent(
        name=digest("session.removed", tenure.session_id, tenure.started_at.isoformat()),
        type=AuditType.REVOKED,
        at=now,
        actor=CONSOLE,
        license_id=tenure.license_id,
        session_id=tenure.session_id,
        user_id=tenure.user_id,
        hardware_id=tenure.hardware_id,
        details={
            "reason": EndReason.REVOKED_BY_ADMIN.value,
            "started_at": tenure.started_at,
            "last_heartbeat_at": None,
            "lease_expires_at": None,
        },
    )


def usage_repaired(*, at: datetime, before: Mapping[str, int] | None, after: Mapping[str, int]) -> AuditEvent:
    """Report that the counters did not agree with the sessions and were taken from them again.

    Both map licenses to seats in use; ``before`` is ``None`` for counters that were missing or could not be read.
    """
    return AuditEvent(
        name=digest(AuditType.USAGE_REPAIRED, at.isoformat()),
        type=AuditType.USAGE_REPAIRED,
        at=at,
        actor=SYSTEM,
        details={"before": None if before is None else _by_license(before), "after": _by_license(after)},
    )


def edited(
    kind: AuditType,
    document_id: str,
    *,
    at: datetime,
    before: Mapping[str, str] | None,
    after: Mapping[str, str] | None,
) -> AuditEvent:
    """Report that somebody edited a document by hand. ``before`` and ``after`` are its fields' values in JSON.

    ``before`` of ``None``: the document is new; ``after`` of ``None``: it is gone. Of license keys the end is told.
    """
    then, now = before or {}, after or {}
    changes = [
        {"field": name, "before": _told(name, then.get(name)), "after": _told(name, now.get(name))}
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    done = EditKind.CREATED if before is None else EditKind.DELETED if after is None else EditKind.CHANGED
    return AuditEvent(
        name=digest(kind, document_id, done, at.isoformat()),
        type=kind,
        at=at,
        actor=CONSOLE,
        license_id=document_id if kind is AuditType.LICENSE_EDITED else None,
        user_id=document_id if kind is AuditType.USER_EDITED else None,
        details={"edit": done.value, "changes": changes},
    )


def _told(field: str, value: str | None) -> str | None:
    if field != "license_key" or value is None:
        return value
    # Enough to tell keys apart, and not enough to use one.
    return f'"…{value[-5:-1]}"' if len(value) >= _LONG_KEY else '"…"'


def _by_license(in_use: Mapping[str, int]) -> list[Mapping[str, Detail]]:
    return [{"license_id": license_id, "in_use": seats} for license_id, seats in sorted(in_use.items())]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrailEntry:
    """What the audit trail says of a tenure: that it began, or that it ended."""

    type: AuditType
    tenure: Tenure


def tenure_without_end(told: Sequence[TrailEntry], *, held_since: datetime | None) -> Tenure | None:
    """Find the latest tenure of a session of whose end nothing is told, or ``None``. ``told`` is latest first.

    ``held_since`` is the beginning of the tenure that is under way, if the device has taken a seat again.
    """
    ended = {each.tenure.started_at for each in told if each.type in ENDS}
    begun = (each.tenure for each in told if each.type is AuditType.ACQUIRED)
    return next((tenure for tenure in begun if tenure.started_at not in {*ended, held_since}), None)
