"""Heartbeat: keep the seat, or end the session."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.rules.expire import revoked
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import (
    CallerRefusal,
    LicenseRefusal,
    Misconfigured,
    SessionNotFound,
    Unusable,
    refuse_caller,
    refuse_license,
)
from shared.rules.session import (
    EndReason,
    Instance,
    InstanceLimitReached,
    Session,
    SessionOver,
    ended,
    heard_of,
    is_live,
    is_news,
    is_open,
    known_as,
    lease_until,
    noted,
    refuse_instance,
)
from shared.rules.user import User


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Everything that the decision about one heartbeat needs."""

    organization: Organization | Unusable | None
    user: User | Unusable | None
    license: License | Unusable | None
    session: Session | Unusable | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Extended:
    """The lease starts anew.

    ``news`` is the instance that asked, if the session did not show it before at this address.
    """

    session: Session
    license: License
    news: Instance | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StillFresh:
    """The last heartbeat is so recent that the lease stays as it is."""

    session: Session
    license: License


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopped:
    """The session ends now: its lease has run out, or the user lost the right to the seat. ``because`` says which."""

    session: Session
    because: CallerRefusal | LicenseRefusal | SessionOver


@dataclass(frozen=True, kw_only=True, slots=True)
class IdleLeft:
    """The instance has been idle for too long, so it works on the seat no more. Others do, so the session goes on."""

    session: Session


Changing = Extended | IdleLeft | Stopped
"""The outcomes that change the session."""

HeartbeatOutcome = Changing | StillFresh | SessionNotFound | SessionOver | InstanceLimitReached | Misconfigured


def heartbeat(  # noqa: PLR0913 each is named at the call
    standing: Standing,
    *,
    user_id: str,
    now: datetime,
    instance_id: str | None = None,
    ip_address: str | None = None,
    idle_for: timedelta | None = None,
) -> HeartbeatOutcome:
    """Decide one heartbeat of an instance at ``now``. ``idle_for``: how long its user has done nothing, if it says so.

    A lapsed session is never extended, because that could exceed a cap. It ends here at once. An extension that was
    decided in time may still be on its way to Firestore. It must not give the seat back after this answer.
    """
    session = standing.session
    if isinstance(session, Unusable):
        return Misconfigured(unusable=session)
    if session is None or session.user_id != user_id:
        return SessionNotFound()
    if not is_open(session):
        return SessionOver(reason=session.end_reason)
    if not is_live(session, now=now):
        return Stopped(
            session=ended(session, reason=EndReason.EXPIRED, now=now), because=SessionOver(reason=EndReason.EXPIRED)
        )
    refusal: CallerRefusal | LicenseRefusal | None = refuse_caller(
        organization=standing.organization, user=standing.user
    ) or refuse_license(standing.license, now=now)
    if isinstance(refusal, Misconfigured):
        # A mistake in the console must not end sessions. Until the lease ends, an admin can correct the document.
        return refusal
    if refusal is not None:
        return Stopped(session=revoked(session, because=refusal, now=now), because=refusal)
    assert isinstance(standing.license, License)  # noqa: S101 the refusals above leave nothing else; for the type checker
    asking = Instance(instance_id=instance_id, ip_address=ip_address, last_heard_at=now)
    if standing.license.idle_for is not None and idle_for is not None and idle_for >= standing.license.idle_for:
        return _idle(session, asking)
    if (full := refuse_instance(session, standing.license, asking)) is not None:
        return full
    # If an admin has made the lease longer since, the client gets it at once, however early: it times its next
    # heartbeat by it.
    given_for = session.lease_expires_at - session.last_heartbeat_at
    if _is_early(session, asking, standing.license) and given_for >= standing.license.lease_for:
        return StillFresh(session=session, license=standing.license)
    kept = replace(
        session,
        last_heartbeat_at=now,
        lease_expires_at=lease_until(session.borrowed_until, standing.license, now=now),
        instances=noted(session, asking),
    )
    is_reported = instance_id is not None and is_news(session, asking)
    return Extended(session=kept, license=standing.license, news=asking if is_reported else None)


def _idle(session: Session, asking: Instance) -> Stopped | IdleLeft:
    """Take the seat from an idle instance, unless another one works on it."""
    now = asking.last_heard_at
    others = tuple(each for each in heard_of(session, now=now) if each.instance_id != asking.instance_id)
    if others:
        return IdleLeft(session=replace(session, instances=others))
    return Stopped(session=ended(session, reason=EndReason.IDLE, now=now), because=SessionOver(reason=EndReason.IDLE))


def _is_early(session: Session, asking: Instance, license_: License) -> bool:
    """Whether the lease just started anew, and for this instance too: another one's heartbeat does not keep its place.

    An instance that the session has no room for has no place, so for it the lease alone counts.
    """
    now = asking.last_heard_at
    if now - session.last_heartbeat_at >= license_.early_within:
        return False
    known = known_as(session, asking)
    if known is None:
        return asking not in noted(session, asking)
    return now - known.last_heard_at < license_.early_within
