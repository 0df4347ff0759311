"""Audit events: what happened to a seat or a document, who did it, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.rules.digest import digest
from shared.rules.license import License
from shared.rules.line import GaveUp, PlaceInLine
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason, Instance, Session, revoked_by_hand

SYSTEM = "system"
"""The actor of events that no user caused, such as a lease that ran out or repaired counters."""

CONSOLE = "console"
"""The actor of edits by hand in the Firebase console. Which admin it was is not known."""

ERASED = "erased"
"""Stands in events for the user, the actor and the device of a person whose data was erased."""

_LONG_KEY = 14
"""A license key of this length or more, quotes included, shows its last four characters."""

_SHOWN_OF_USERS = frozenset({"role", "is_active", "groups", "created_at"})
"""The fields of a user's document whose values an event shows. All others may tell about the person."""

_HIDDEN = '"…"'
"""Stands for a value that an event does not show, as JSON."""

Detail = str | int | bool | None | datetime | Mapping[str, "Detail"] | Sequence[Mapping[str, "Detail"]] | Sequence[str]


class AuditType(StrEnum):
    """The kinds of events."""

    ACQUIRED = "session.acquired"
    RENEWED = "session.renewed"
    BORROWED = "session.borrowed"
    QUEUED = "session.queued"
    GAVE_UP = "session.gave_up"
    DENIED = "session.denied"
    RELEASED = "session.released"
    EXPIRED = "session.expired"
    REVOKED = "session.revoked"
    USAGE_REPAIRED = "usage.repaired"
    LICENSE_EXPIRING = "license.expiring"
    ORGANIZATION_EDITED = "organization.edited"
    USER_EDITED = "user.edited"
    USER_INVITED = "user.invited"
    USER_JOINED = "user.joined"
    LICENSE_EDITED = "license.edited"
    SIGNED_IN_ON_DEVICE = "user.signed_in_on_device"


ENDS = frozenset({AuditType.RELEASED, AuditType.EXPIRED, AuditType.REVOKED})
"""The events that end a tenure."""


_ENDS_AS = {
    EndReason.RELEASED: AuditType.RELEASED,
    EndReason.RELEASED_ELSEWHERE: AuditType.RELEASED,
    EndReason.EXPIRED: AuditType.EXPIRED,
}
"""The event of each reason. Every other reason is a revocation."""


class EditKind(StrEnum):
    """What an admin did to a document."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEvent:
    """One event. ``name`` is computed from what happened, so that the same event is never reported twice.

    ``grant_number`` numbers the grants of an organization without a gap, within an ``epoch`` of its counters. A
    borrow takes a number too. Only ``session.acquired`` and ``session.borrowed`` have them.
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
    epoch: str | None = None
    details: Mapping[str, Detail]


def grant_name(grant_number: int, *, epoch: str | None = None) -> str:
    return digest(AuditType.ACQUIRED, *([] if epoch is None else [epoch]), str(grant_number))


def acquired(
    session: Session,
    *,
    grant_number: int,
    epoch: str | None = None,
    waited_for: timedelta | None = None,
    details: Mapping[str, Detail],
) -> AuditEvent:
    """Report the start of a tenure. The actor is its user.

    The event's name is computed from the grant's number. Two instances that decide at the same time use the same number
    and create the same document. One of the two commits fails, and that instance reads again.
    """
    return AuditEvent(
        name=grant_name(grant_number, epoch=epoch),
        type=AuditType.ACQUIRED,
        at=session.started_at,
        actor=session.user_id,
        license_id=session.license_id,
        session_id=session.session_id,
        user_id=session.user_id,
        hardware_id=session.hardware_id,
        grant_number=grant_number,
        epoch=epoch,
        details={
            "ip_address": session.ip_address,
            "user_agent": session.user_agent,
            "user_email": session.user_email,
            **_known(
                pool=session.pool,
                is_overdraft=session.is_overdraft or None,
                waited_seconds=None if waited_for is None else whole_seconds(waited_for),
            ),
            **details,
        },
    )


def _known(**details: Detail) -> dict[str, Detail]:
    """These details without those that are ``None``. Most events would have only such ones."""
    return {name: value for name, value in details.items() if value is not None}


def borrowed(session: Session, *, grant_number: int, epoch: str | None, now: datetime) -> AuditEvent:
    """Report that a user borrows a seat, or borrows it for longer. The actor is its user.

    A borrow takes the number of a grant, as if the seat were given anew. So no two instances lend one seat too many.
    """
    return AuditEvent(
        name=grant_name(grant_number, epoch=epoch),
        type=AuditType.BORROWED,
        at=now,
        actor=session.user_id,
        license_id=session.license_id,
        session_id=session.session_id,
        user_id=session.user_id,
        hardware_id=session.hardware_id,
        grant_number=grant_number,
        epoch=epoch,
        details={"started_at": session.started_at, "borrowed_until": session.borrowed_until},
    )


def queued(place: PlaceInLine, *, position: int) -> AuditEvent:
    """Report that a user takes a place in the line. The actor is its user."""
    return AuditEvent(
        name=digest(AuditType.QUEUED, place.session_id, place.since.isoformat()),
        type=AuditType.QUEUED,
        at=place.since,
        actor=place.user_id,
        license_id=place.license_id,
        session_id=place.session_id,
        user_id=place.user_id,
        hardware_id=place.hardware_id,
        details={"since": place.since, "position": position, "wait_until": place.wait_until},
    )


def gave_up(place: PlaceInLine, *, reason: GaveUp, actor: str, now: datetime) -> AuditEvent:
    """Report that a place ends without a seat. A place that stopped counting waited until then."""
    until = min(now, place.counts_until)
    return AuditEvent(
        # The place is deleted in the same commit, so its end is reported once.
        name=digest(AuditType.GAVE_UP, place.session_id, place.since.isoformat(), now.isoformat()),
        type=AuditType.GAVE_UP,
        at=now,
        actor=actor,
        license_id=place.license_id,
        session_id=place.session_id,
        user_id=place.user_id,
        hardware_id=place.hardware_id,
        details={"reason": reason.value, "since": place.since, "waited_seconds": whole_seconds(until - place.since)},
    )


def whole_seconds(time: timedelta) -> int:
    return max(0, int(time.total_seconds()))


def renewed(session: Session, instance: Instance, *, user_agent: str | None) -> AuditEvent:
    """Report that an instance works on a live session, from its present address. The actor is the session's user.

    The name follows from tenure, instance and address, so each of them is reported once in a tenure.
    """
    address = instance.ip_address
    return AuditEvent(
        name=renewed_name(session.session_id, session.started_at, instance_id=instance.instance_id, ip_address=address),
        type=AuditType.RENEWED,
        at=instance.last_heard_at,
        actor=session.user_id,
        license_id=session.license_id,
        session_id=session.session_id,
        user_id=session.user_id,
        hardware_id=session.hardware_id,
        details={
            "started_at": session.started_at,
            "instance_id": instance.instance_id,
            "ip_address": address,
            "user_agent": user_agent,
            "instances": len(session.instances),
        },
    )


def renewed_name(session_id: str, started_at: datetime, *, instance_id: str | None, ip_address: str | None) -> str:
    return digest(AuditType.RENEWED, session_id, started_at.isoformat(), instance_id or "", ip_address or "")


def ended(session: Session, *, actor: str, kept_out_until: datetime | None = None) -> AuditEvent:
    """Report the end of a tenure. The type follows from its reason: released, expired or revoked.

    ``kept_out_until`` is of a revocation: before then its user gets no seat of the license.
    """
    reason, at = session.end_reason, session.ended_at
    if reason is None or at is None:
        message = f"session {session.session_id} has not ended: there is nothing to report"
        raise ValueError(message)
    return AuditEvent(
        # The precondition on the session makes sure that a tenure ends once. The name includes the time because an
        # admin may open a session again by hand. Its second end is another event and needs another name.
        name=digest("session.ended", session.session_id, session.started_at.isoformat(), at.isoformat()),
        type=_ENDS_AS.get(reason, AuditType.REVOKED),
        at=at,
        actor=actor,
        license_id=session.license_id,
        session_id=session.session_id,
        user_id=session.user_id,
        hardware_id=session.hardware_id,
        details={
            "reason": reason.value,
            "started_at": session.started_at,
            "last_heartbeat_at": session.last_heartbeat_at,
            "lease_expires_at": session.lease_expires_at,
            **_known(pool=session.pool, overhang_until=overhang_until(session), kept_out_until=kept_out_until),
        },
    )


def overhang_until(session: Session) -> datetime | None:
    """Until when the device of an ended session may work on without a seat, because it borrowed one.

    ``None`` if it gave the seat back itself.
    """
    until, at = session.borrowed_until, session.ended_at
    if until is None or at is None or at >= until or session.end_reason is EndReason.RELEASED:
        return None
    return until


def ended_by_hand(session: Session, *, now: datetime) -> AuditEvent:
    """Report an end that an admin wrote into the session.

    It may be an end that was reported before: it looks the same if an admin removed its reason.
    """
    return ended(revoked_by_hand(session, now=now), actor=CONSOLE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenure:
    """One holding of a seat: the session, user, device, license and pool, and when it began."""

    session_id: str
    license_id: str
    user_id: str
    hardware_id: str
    started_at: datetime
    pool: str | None = None


def removed(tenure: Tenure, *, now: datetime) -> AuditEvent:
    """Report that an admin deleted a session that had not ended.

    The name is computed from the tenure alone, so the deletion is reported once, however often it is noticed.
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
            **_known(pool=tenure.pool),
        },
    )


def usage_repaired(*, at: datetime, before: SeatUse | None, after: SeatUse) -> AuditEvent:
    """Report that the counters did not match the sessions and were counted again from them.

    ``before`` is ``None`` if the counters were missing or could not be read.
    """
    return AuditEvent(
        name=digest(AuditType.USAGE_REPAIRED, at.isoformat()),
        type=AuditType.USAGE_REPAIRED,
        at=at,
        actor=SYSTEM,
        details={"before": None if before is None else _by_license(before), "after": _by_license(after)},
    )


def expiring(license_: License, *, days_before: int, now: datetime) -> AuditEvent | None:
    """Report that a license ends so many days from now or sooner; ``None`` if it does not, or is not in use.

    The name follows from the end and the days, so each is reported once. An end that an admin moves is another one.
    """
    ends_at = license_.expires_at
    if ends_at is None or not license_.is_active or not now < ends_at <= now + timedelta(days=days_before):
        return None
    return AuditEvent(
        name=digest(AuditType.LICENSE_EXPIRING, license_.license_id, ends_at.isoformat(), str(days_before)),
        type=AuditType.LICENSE_EXPIRING,
        at=now,
        actor=SYSTEM,
        license_id=license_.license_id,
        details={"expires_at": ends_at, "days_before": days_before},
    )


def edited(  # noqa: PLR0913 each is named at the call
    kind: AuditType,
    document_id: str,
    *,
    at: datetime,
    before: Mapping[str, str] | None,
    after: Mapping[str, str] | None,
    actor: str = CONSOLE,
) -> AuditEvent:
    """Report an edit of a document, by hand or by ``actor``. ``before`` and ``after`` are its fields' values in JSON.

    For a new document ``before`` is ``None``, for a deleted one ``after``. License keys show only their end. A user's
    e-mail address, and every field that an admin added to the user, show only that they changed.
    """
    then, now = before or {}, after or {}
    changes = [
        {"field": name, "before": _told(kind, name, then.get(name)), "after": _told(kind, name, now.get(name))}
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    done = EditKind.CREATED if before is None else EditKind.DELETED if after is None else EditKind.CHANGED
    return AuditEvent(
        name=digest(kind, document_id, done, at.isoformat()),
        type=kind,
        at=at,
        actor=actor,
        license_id=document_id if kind is AuditType.LICENSE_EDITED else None,
        user_id=document_id if kind is AuditType.USER_EDITED else None,
        details={"edit": done.value, "changes": changes},
    )


def _told(kind: AuditType, field: str, value: str | None) -> str | None:
    if value is None:
        return None
    if kind is AuditType.USER_EDITED and field not in _SHOWN_OF_USERS:
        return _HIDDEN
    if field != "license_key":
        return value
    # Enough to tell keys apart, but not to use one.
    return f'"…{value[-5:-1]}"' if len(value) >= _LONG_KEY else _HIDDEN


def _by_license(use: SeatUse) -> list[Mapping[str, Detail]]:
    return [
        {"license_id": license_id, "in_use": seats, "pools": _pools(use, license_id)}
        for license_id, seats in sorted(use.by_license.items())
    ]


def _pools(use: SeatUse, license_id: str) -> list[Mapping[str, Detail]]:
    return [{"group": group, "in_use": seats} for (of, group), seats in sorted(use.by_pool.items()) if of == license_id]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrailEntry:
    """An event of the audit trail that begins or ends a tenure."""

    type: AuditType
    tenure: Tenure


def tenure_without_end(told: Sequence[TrailEntry], *, held_since: datetime | None) -> Tenure | None:
    """Find the latest tenure of a session whose end is not reported, or ``None``. ``told`` has the latest event first.

    ``held_since`` is the beginning of the present tenure, if the device has taken a seat again.
    """
    ended = {each.tenure.started_at for each in told if each.type in ENDS}
    begun = (each.tenure for each in told if each.type is AuditType.ACQUIRED)
    return next((tenure for tenure in begun if tenure.started_at not in {*ended, held_since}), None)
