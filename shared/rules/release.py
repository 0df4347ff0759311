"""Release: give a seat back. Users may release their own; owners and admins may release every seat.

A program that names its instance leaves the seat, and the last one gives it back. A release without an instance ends
the session itself.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.rules.line import GaveUp, PlaceInLine, counts, gave_up_because
from shared.rules.organization import Organization
from shared.rules.refusal import Misconfigured, SessionNotFound, Unusable
from shared.rules.session import EndReason, Session, ended, heard_of, is_live, is_open
from shared.rules.user import User


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Everything that the decision about one release needs. ``user`` is the caller.

    ``place`` is the place in the line of the session's id. It is there only if no session is open.
    """

    organization: Organization | Unusable | None
    user: User | Unusable | None
    session: Session | Unusable | None
    place: PlaceInLine | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """The seat is free. The session's reason says whether it was released, revoked or expired."""

    session: Session


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """The instance works on the seat no more. Others do, so the session goes on."""

    session: Session


@dataclass(frozen=True, kw_only=True, slots=True)
class AlreadyEnded:
    """The session had ended before. Nothing changes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftTheLine:
    """The user waits no more."""

    place: PlaceInLine
    reason: GaveUp


ReleaseOutcome = LeftTheLine | Released | Left | AlreadyEnded | SessionNotFound | Misconfigured


def release(standing: Standing, *, user_id: str, now: datetime, instance_id: str | None = None) -> ReleaseOutcome:
    """Decide one release at ``now``. A user needs no role or other right to give back their own seat.

    ``instance_id`` counts for the user's own session only.
    """
    session, place = standing.session, standing.place
    if place is not None and (place.user_id == user_id or _may_revoke(standing)):
        return LeftTheLine(place=place, reason=GaveUp.LEFT if counts(place, now=now) else gave_up_because(place))
    if isinstance(session, Unusable):
        return Misconfigured(unusable=session)
    if session is None:
        return SessionNotFound()
    is_own = session.user_id == user_id
    if not is_own and not _may_revoke(standing):
        return SessionNotFound()
    if not is_open(session):
        return AlreadyEnded()
    if not is_live(session, now=now):
        return Released(session=ended(session, reason=EndReason.EXPIRED, now=now))
    if not is_own:
        return Released(session=ended(session, reason=EndReason.REVOKED_BY_ADMIN, now=now))
    at_work = heard_of(session, now=now)
    if instance_id is not None and (others := tuple(each for each in at_work if each.instance_id != instance_id)):
        return Left(session=replace(session, instances=others))
    # A program that sends no instance id may be giving back its own seat. If every program at work sends one, it was
    # none of them: the user ended the session from elsewhere, and no program may take it back.
    is_elsewhere = instance_id is None and bool(at_work) and all(each.instance_id is not None for each in at_work)
    reason = EndReason.RELEASED_ELSEWHERE if is_elsewhere else EndReason.RELEASED
    return Released(session=ended(session, reason=reason, now=now))


def _may_revoke(standing: Standing) -> bool:
    organization, user = standing.organization, standing.user
    return (
        isinstance(organization, Organization)
        and organization.is_active
        and isinstance(user, User)
        and user.may_manage_seats
    )
