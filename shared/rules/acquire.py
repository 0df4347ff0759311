"""Acquire: take a seat, or get the reason for a refusal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import CallerRefusal, LicenseRefusal, Misconfigured, Unusable, refuse_caller, refuse_license
from shared.rules.seat_use import SeatUse
from shared.rules.session import (
    EndReason,
    Instance,
    InstanceLimitReached,
    Session,
    ended,
    is_live,
    is_news,
    is_open,
    known_as,
    noted,
    refuse_instance,
    session_id_of,
)
from shared.rules.user import User


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """The device that the request comes from, and the instance of the program there that sent it."""

    hardware_id: str
    ip_address: str | None
    user_agent: str | None
    instance_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Everything that one decision needs, read at one instant.

    ``session`` is the session that this user on this device has, or had, for this license.
    """

    organization: Organization | Unusable | None
    user: User | Unusable | None
    license: License | Unusable | None
    session: Session | Unusable | None
    use: SeatUse


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """A seat was taken.

    ``replaced`` is an open tenure of the same device that ends now: its lease ran out, or an admin moved it to another
    license by hand.
    """

    session: Session
    license: License
    in_use: int
    replaced: Session | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Renewed:
    """The device already holds its seat. The lease starts anew.

    ``news`` is the instance that asked, if the session did not show it before at this address and in this version.
    """

    session: Session
    license: License
    in_use: int
    news: Instance | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatLimitReached:
    """Every seat of the license is in use. ``earliest_expiry_at`` is the end of the first lease without a heartbeat."""

    license_id: str
    in_use: int
    max_seats: int
    earliest_expiry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationSeatLimitReached:
    """The license has a free seat, but the organization's licenses together have reached the organization's cap."""

    in_use: int
    max_seats: int
    earliest_expiry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptOut:
    """An owner or admin ended a session of the user, who gets no seat of the license before ``until``."""

    until: datetime


AcquireOutcome = (
    Granted
    | Renewed
    | KeptOut
    | SeatLimitReached
    | OrganizationSeatLimitReached
    | InstanceLimitReached
    | CallerRefusal
    | LicenseRefusal
    | Misconfigured
)


def acquire(standing: Standing, device: Device, *, now: datetime) -> AcquireOutcome:
    """Decide one acquire at ``now``. Neither cap is ever exceeded. A device that holds a seat keeps it."""
    organization, user, license_ = standing.organization, standing.user, standing.license
    if (refusal := refuse_caller(organization=organization, user=user)) is not None:
        return refusal
    if (refused := refuse_license(license_, now=now)) is not None:
        return refused
    if isinstance(standing.session, Unusable):
        return Misconfigured(unusable=standing.session)
    assert isinstance(organization, Organization)  # noqa: S101 the refusals above leave nothing else; for the type checker
    assert isinstance(user, User)  # noqa: S101 as above
    assert isinstance(license_, License)  # noqa: S101 as above

    before = standing.session
    asking = Instance(instance_id=device.instance_id, ip_address=device.ip_address, last_heard_at=now)
    is_of_license = before is not None and before.license_id == license_.license_id
    if before is not None and is_of_license and is_live(before, now=now):
        if (full := refuse_instance(before, license_, asking)) is not None:
            return full
        session = _tenure(
            user, license_, device, started_at=before.started_at, now=now, instances=noted(before, asking)
        )
        return Renewed(
            session=session,
            license=license_,
            in_use=standing.use.of(license_.license_id),
            news=asking if _is_news(before, device, asking) else None,
        )

    kept_out_until = user.kept_out.get(license_.license_id)
    if kept_out_until is not None and now < kept_out_until:
        return KeptOut(until=kept_out_until)

    # A lapsed tenure of the same device is still counted, and ends for the new one. A tenure that an admin moved to
    # another license by hand ends too: this license does not count it any more, so it cannot be renewed.
    replaced = None if before is None or not is_open(before) else _given_up(before, now=now)
    in_license = standing.use.of(license_.license_id) - (1 if replaced is not None and is_of_license else 0)
    in_organization = standing.use.total - (0 if replaced is None else 1)
    if in_license >= license_.max_concurrent_seats:
        return SeatLimitReached(
            license_id=license_.license_id, in_use=in_license, max_seats=license_.max_concurrent_seats
        )
    cap = organization.max_concurrent_seats
    if cap is not None and in_organization >= cap:
        return OrganizationSeatLimitReached(in_use=in_organization, max_seats=cap)
    return Granted(
        session=_tenure(user, license_, device, started_at=now, now=now, instances=(asking,)),
        license=license_,
        in_use=in_license + 1,
        replaced=replaced,
    )


def earliest_expiry(sessions: Iterable[Session], *, now: datetime) -> datetime | None:
    """When the first of the live sessions loses its seat without a heartbeat; ``None`` if there is none."""
    return min((session.lease_expires_at for session in sessions if is_live(session, now=now)), default=None)


def _given_up(before: Session, *, now: datetime) -> Session:
    reason = EndReason.REVOKED_BY_ADMIN if is_live(before, now=now) else EndReason.EXPIRED
    return ended(before, reason=reason, now=now)


def _is_news(before: Session, device: Device, asking: Instance) -> bool:
    """Whether the session does not show yet that this instance works on it, at this address and in this version."""
    is_same_version = device.user_agent == before.user_agent
    if asking.instance_id is None:
        return not is_same_version or device.ip_address != before.ip_address
    return is_news(before, asking) or (known_as(before, asking) is not None and not is_same_version)


def _tenure(  # noqa: PLR0913 each is named at the call
    user: User,
    license_: License,
    device: Device,
    *,
    started_at: datetime,
    now: datetime,
    instances: tuple[Instance, ...],
) -> Session:
    return Session(
        session_id=session_id_of(license_id=license_.license_id, user_id=user.user_id, hardware_id=device.hardware_id),
        license_id=license_.license_id,
        user_id=user.user_id,
        user_email=user.email,
        hardware_id=device.hardware_id,
        ip_address=device.ip_address,
        user_agent=device.user_agent,
        started_at=started_at,
        last_heartbeat_at=now,
        lease_expires_at=now + license_.lease_for,
        instances=instances,
    )
