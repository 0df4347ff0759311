"""Release: give a seat back. Users may release their own; owners and admins may release every seat.

A program that names its instance leaves the seat, and the last one gives it back. A release without an instance ends
the session itself. Owners and admins may keep the session's user out for a time.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from shared.rules.line import GaveUp, PlaceInLine, counts, gave_up_because
from shared.rules.organization import Organization
from shared.rules.refusal import Misconfigured, SessionNotFound, Unusable
from shared.rules.session import EndReason, Session, SessionOver, ended, heard_of, is_live, is_open
from shared.rules.user import User

MAX_KEPT_OUT = timedelta(days=30)
"""The longest time for which a release keeps a user out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Everything that the decision about one release needs. ``user`` is the caller.

    ``place`` is the place in the line of the session's id. It is there only if no session is open. ``holder`` is the
    session's user. Only a release that keeps them out needs it.
    """

    organization: Organization | Unusable | None
    user: User | Unusable | None
    session: Session | Unusable | None
    place: PlaceInLine | None = None
    holder: User | Unusable | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """The seat is free. The session's reason says whether it was released, revoked or expired.

    ``kept_out`` is the session's user, if they are kept out from now on.
    """

    session: Session
    kept_out: User | None = None


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


@dataclass(frozen=True, kw_only=True, slots=True)
class UntilRefused:
    """The session's user cannot be kept out like that. ``problem`` says why. Nothing was ended."""

    problem: str


ReleaseOutcome = (
    LeftTheLine | Released | Left | AlreadyEnded | SessionNotFound | SessionOver | UntilRefused | Misconfigured
)


def release(
    standing: Standing,
    *,
    user_id: str,
    now: datetime,
    instance_id: str | None = None,
    until: datetime | None = None,
) -> ReleaseOutcome:
    """Decide one release at ``now``. A user needs no role or other right to give back their own seat.

    ``instance_id`` counts for the user's own session only. With ``until``, the session's user gets no seat of its
    license before then.
    """
    session, place = standing.session, standing.place
    if place is not None and until is None and (place.user_id == user_id or _may_revoke(standing)):
        return LeftTheLine(place=place, reason=GaveUp.LEFT if counts(place, now=now) else gave_up_because(place))
    if isinstance(session, Unusable):
        return Misconfigured(unusable=session)
    if session is None:
        return SessionNotFound()
    is_own = session.user_id == user_id
    if not is_own and not _may_revoke(standing):
        return SessionNotFound()
    if until is not None:
        return _keep_out(standing.holder, session, is_own=is_own, until=until, now=now)
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


def _keep_out(
    holder: User | Unusable | None, session: Session, *, is_own: bool, until: datetime, now: datetime
) -> ReleaseOutcome:
    """End a live session of another user. One that ended before keeps nobody out: no event would tell of it."""
    if is_own:
        return UntilRefused(problem="counts for the session of another user only")
    if not now < until <= now + MAX_KEPT_OUT:
        return UntilRefused(problem=f"not a time within the next {MAX_KEPT_OUT.days} days")
    if isinstance(holder, Unusable):
        return Misconfigured(unusable=holder)
    kept_out = {} if holder is None else holder.kept_out
    if not is_live(session, now=now):
        if kept_out.get(session.license_id) == until:
            return AlreadyEnded()  # by this request, whose answer was lost
        return SessionOver(reason=EndReason.EXPIRED if is_open(session) else session.end_reason)
    still = {license_id: end for license_id, end in kept_out.items() if now < end}
    return Released(
        session=ended(session, reason=EndReason.REVOKED_BY_ADMIN, now=now),
        kept_out=None
        if holder is None
        else replace(holder, kept_out={**still, session.license_id: until.astimezone(UTC)}),
    )


def _may_revoke(standing: Standing) -> bool:
    organization, user = standing.organization, standing.user
    return (
        isinstance(organization, Organization)
        and organization.is_active
        and isinstance(user, User)
        and user.may_manage_seats
    )
