"""Release: give a seat back. Users may release their own; owners and admins may release every seat."""

from dataclasses import dataclass
from datetime import datetime

from shared.rules.organization import Organization
from shared.rules.refusal import Misconfigured, SessionNotFound, Unusable
from shared.rules.session import EndReason, Session, ended, is_live, is_open
from shared.rules.user import User


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Everything that the decision about one release needs. ``user`` is the caller."""

    organization: Organization | Unusable | None
    user: User | Unusable | None
    session: Session | Unusable | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """The seat is free. The session's reason is released, revoked or expired."""

    session: Session


@dataclass(frozen=True, kw_only=True, slots=True)
class AlreadyEnded:
    """The session had ended before. Nothing changes."""


ReleaseOutcome = Released | AlreadyEnded | SessionNotFound | Misconfigured


def release(standing: Standing, *, user_id: str, now: datetime) -> ReleaseOutcome:
    """Decide one release at ``now``. A user needs no role or other right to give back their own seat."""
    session = standing.session
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
        reason = EndReason.EXPIRED
    else:
        reason = EndReason.RELEASED if is_own else EndReason.REVOKED_BY_ADMIN
    return Released(session=ended(session, reason=reason, now=now))


def _may_revoke(standing: Standing) -> bool:
    organization, user = standing.organization, standing.user
    return (
        isinstance(organization, Organization)
        and organization.is_active
        and isinstance(user, User)
        and user.may_manage_seats
    )
