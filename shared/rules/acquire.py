"""Acquire: take a seat, or get the reason for a refusal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.rules.borrowing import BorrowRefusal, refuse_borrow
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.pools import FreeSeat, free_seat, reserved_for_others
from shared.rules.refusal import (
    CallerRefusal,
    GrantRefusal,
    LicenseRefusal,
    Misconfigured,
    Unusable,
    refuse_caller,
    refuse_grant,
    refuse_license,
)
from shared.rules.seat_use import SeatUse
from shared.rules.session import (
    EndReason,
    Instance,
    InstanceLimitReached,
    Session,
    ended,
    is_borrowed,
    is_borrowed_until,
    is_live,
    is_news,
    is_open,
    known_as,
    noted,
    pool_change,
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

    ``session`` is the session that this user on this device has, or had, for this license. ``own`` are all the user's
    sessions for it, if the license limits a user's devices. ``borrowed`` are its borrowed ones, if it limits those.
    """

    organization: Organization | Unusable | None
    user: User | Unusable | None
    license: License | Unusable | None
    session: Session | Unusable | None
    use: SeatUse
    own: Sequence[Session] = ()
    borrowed: Sequence[Session] = ()


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
class Borrowed:
    """The device already holds its seat, and may use it without a connection from now on, or for longer."""

    session: Session
    license: License
    in_use: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatLimitReached:
    """Every seat of the license that the user may use is in use.

    ``max_seats`` has the overdraft. ``reserved_for_others`` seats are free, for users of other groups.
    ``earliest_expiry_at`` is the end of the first lease without a heartbeat.
    """

    license_id: str
    in_use: int
    max_seats: int
    reserved_for_others: int = 0
    earliest_expiry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationSeatLimitReached:
    """The license has a free seat, but the organization's licenses together have reached the organization's cap."""

    in_use: int
    max_seats: int
    earliest_expiry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceLimitReached:
    """The user holds seats of the license on as many devices as it allows. ``own`` are their sessions, oldest first."""

    own: tuple[Session, ...]
    max_devices: int
    earliest_expiry_at: datetime


AcquireOutcome = (
    Granted
    | Renewed
    | Borrowed
    | BorrowRefusal
    | SeatLimitReached
    | OrganizationSeatLimitReached
    | InstanceLimitReached
    | DeviceLimitReached
    | CallerRefusal
    | GrantRefusal
    | LicenseRefusal
    | Misconfigured
)


def acquire(
    standing: Standing, device: Device, *, now: datetime, borrow_until: datetime | None = None
) -> AcquireOutcome:
    """Decide one acquire at ``now``. Neither cap is ever exceeded. A device that holds a seat keeps it.

    With ``borrow_until`` the seat is borrowed, also one that the device holds already.
    """
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
    refused_borrow = _refuse_borrow(standing, license_, borrow_until, now=now)
    if before is not None and before.license_id == license_.license_id and is_live(before, now=now):
        if (not_kept := refuse_instance(before, license_, asking) or refused_borrow) is not None:
            return not_kept
        held = FreeSeat(pool=before.pool, is_overdraft=before.is_overdraft)
        session = _tenure(
            user, license_, device, held, started_at=before.started_at, now=now, instances=noted(before, asking)
        )
        in_use = standing.use.of(license_.license_id)
        if borrow_until is not None and not is_borrowed_until(before, borrow_until):
            return Borrowed(session=_lent(session, borrow_until), license=license_, in_use=in_use)
        return Renewed(
            session=_lent(session, before.borrowed_until),
            license=license_,
            in_use=in_use,
            news=asking if _is_news(before, device, asking) else None,
        )

    unfit = refuse_grant(license_, user, now=now) or _refuse_device(standing.own, license_, now=now) or refused_borrow
    if unfit is not None:
        return unfit

    # A lapsed tenure of the same device is still counted, and ends for the new one. A tenure that an admin moved to
    # another license by hand ends too: this license does not count it any more, so it cannot be renewed.
    replaced = None if before is None or not is_open(before) else _given_up(before, now=now)
    use = standing.use if replaced is None else _without(standing.use, replaced)
    in_license = use.of(license_.license_id)
    if (seat := free_seat(license_, user.groups, use)) is None:
        return SeatLimitReached(
            license_id=license_.license_id,
            in_use=in_license,
            max_seats=license_.max_concurrent_seats + license_.overdraft_seats,
            reserved_for_others=reserved_for_others(license_, user.groups, use),
        )
    cap = organization.max_concurrent_seats
    if cap is not None and use.total >= cap:
        return OrganizationSeatLimitReached(in_use=use.total, max_seats=cap)
    session = _tenure(user, license_, device, seat, started_at=now, now=now, instances=(asking,))
    return Granted(session=_lent(session, borrow_until), license=license_, in_use=in_license + 1, replaced=replaced)


def _refuse_borrow(
    standing: Standing, license_: License, until: datetime | None, *, now: datetime
) -> BorrowRefusal | None:
    """Refuse to lend the seat; ``None`` if nothing stands against it, or if it is borrowed for so long already."""
    own = standing.session
    if until is None or (isinstance(own, Session) and is_live(own, now=now) and is_borrowed_until(own, until)):
        return None
    own_id = own.session_id if isinstance(own, Session) else None
    others = (each for each in standing.borrowed if each.session_id != own_id and is_borrowed(each, now=now))
    return refuse_borrow(license_, until, away_until=(each.lease_expires_at for each in others), now=now)


def _lent(session: Session, until: datetime | None) -> Session:
    """Lend the seat until then. The lease ends no sooner than without it."""
    if until is None:
        return session
    return replace(session, borrowed_until=until, lease_expires_at=max(session.lease_expires_at, until))


def earliest_expiry(sessions: Iterable[Session], *, now: datetime) -> datetime | None:
    """When the first of the live sessions loses its seat without a heartbeat; ``None`` if there is none."""
    return min((session.lease_expires_at for session in sessions if is_live(session, now=now)), default=None)


def _without(use: SeatUse, over: Session) -> SeatUse:
    """The seats in use when this session no longer counts."""
    return use.changed({over.license_id: -1}, granted=0, pools=pool_change(over, -1))


def _refuse_device(own: Iterable[Session], license_: License, *, now: datetime) -> DeviceLimitReached | None:
    """Refuse one device more than the license allows a user; ``None`` if there is room."""
    most = license_.max_devices_per_user
    if most is None:
        return None
    held = sorted((each for each in own if is_live(each, now=now)), key=lambda each: each.started_at)
    if len(held) < most:
        return None
    earliest = min(each.lease_expires_at for each in held)
    return DeviceLimitReached(own=tuple(held), max_devices=most, earliest_expiry_at=earliest)


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
    seat: FreeSeat,
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
        pool=seat.pool,
        is_overdraft=seat.is_overdraft,
    )
