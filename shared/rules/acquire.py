"""Acquire: take a seat, or get the reason for a refusal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.rules.borrowing import BorrowRefusal, refuse_borrow
from shared.rules.license import License
from shared.rules.line import (
    MAX_WAIT,
    Line,
    PlaceInLine,
    Turn,
    WaitTooLong,
    WaitTooShort,
    take_turn,
)
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
    ``line`` are the users who wait.
    """

    organization: Organization | Unusable | None
    user: User | Unusable | None
    license: License | Unusable | None
    session: Session | Unusable | None
    use: SeatUse
    own: Sequence[Session] = ()
    borrowed: Sequence[Session] = ()
    line: Line = field(default_factory=Line)


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """A seat was taken.

    ``replaced`` is an open tenure of the same device that ends now: its lease ran out, or an admin moved it to another
    license by hand. ``waited_for`` is the time that the user had a place in the line; ``None`` if they had none.
    """

    session: Session
    license: License
    in_use: int
    replaced: Session | None
    waited_for: timedelta | None = None


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
    """Every seat of the license that the user may use is in use, or for users who wait.

    ``max_seats`` has the overdraft. ``reserved_for_others`` seats are free, for users of other groups. ``waiting``
    places are in the license's line. ``for_waiting`` seats are free, for those of them who were there before.
    ``earliest_expiry_at`` is the end of the first lease without a heartbeat.
    """

    license_id: str
    in_use: int
    max_seats: int
    reserved_for_others: int = 0
    waiting: int = 0
    for_waiting: int = 0
    earliest_expiry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationSeatLimitReached:
    """The license has a free seat, but the organization's licenses together have reached the organization's cap."""

    in_use: int
    max_seats: int
    waiting: int = 0
    for_waiting: int = 0
    earliest_expiry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceLimitReached:
    """The user holds seats of the license on as many devices as it allows. ``own`` are their sessions, oldest first."""

    own: tuple[Session, ...]
    max_devices: int
    earliest_expiry_at: datetime


CapReached = SeatLimitReached | OrganizationSeatLimitReached
"""The refusals for lack of seats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Queued:
    """The user waits in the line, because of this refusal."""

    turn: Turn
    refusal: CapReached


AcquireOutcome = (
    Granted
    | Renewed
    | Borrowed
    | Queued
    | WaitTooShort
    | WaitTooLong
    | BorrowRefusal
    | CapReached
    | InstanceLimitReached
    | DeviceLimitReached
    | CallerRefusal
    | GrantRefusal
    | LicenseRefusal
    | Misconfigured
)


def acquire(
    standing: Standing,
    device: Device,
    *,
    now: datetime,
    borrow_until: datetime | None = None,
    wait_until: datetime | None = None,
) -> AcquireOutcome:
    """Decide one acquire at ``now``. Neither cap is ever exceeded. A device that holds a seat keeps it.

    With ``borrow_until`` the seat is borrowed, also one that the device holds already. With ``wait_until`` the user
    waits for a seat until then, if there is none.
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

    unfit = (
        refuse_grant(license_, user, now=now)
        or _refuse_device(standing.own, license_, now=now)
        or refused_borrow
        or _refuse_wait(wait_until, now=now)
    )
    if unfit is not None:
        return unfit

    # A lapsed tenure of the same device is still counted, and ends for the new one. A tenure that an admin moved to
    # another license by hand ends too: this license does not count it any more, so it cannot be renewed.
    replaced = None if before is None or not is_open(before) else _given_up(before, now=now)
    use = standing.use if replaced is None else _without(standing.use, replaced)
    cap = organization.max_concurrent_seats
    seat = _seat_for(user, license_, standing.line, device, use, cap=cap, now=now)
    if not isinstance(seat, FreeSeat):
        if wait_until is None:
            return seat
        return _queued(seat, standing.line, _waiting(user, license_, device, until=wait_until, now=now))
    session = _tenure(user, license_, device, seat, started_at=now, now=now, instances=(asking,))
    place = standing.line.place(session.session_id) if standing.line.places else None
    return Granted(
        session=_lent(session, borrow_until),
        license=license_,
        in_use=use.of(license_.license_id) + 1,
        replaced=replaced,
        waited_for=None if place is None else now - place.since,
    )


def _seat_for(  # noqa: PLR0913 each is named at the call
    user: User, license_: License, line: Line, device: Device, use: SeatUse, *, cap: int | None, now: datetime
) -> FreeSeat | CapReached:
    """The seat that is left for the user when those before them in the line have theirs, or the cap in the way."""
    left = use
    if line.places:
        left = _after_those_before(line, _session_id(user, license_, device), use, cap=cap, now=now)
    waiting = len(line.of(license_.license_id)) if line.places else 0
    if (seat := free_seat(license_, user.groups, left)) is None:
        return SeatLimitReached(
            license_id=license_.license_id,
            in_use=use.of(license_.license_id),
            max_seats=license_.max_concurrent_seats + license_.overdraft_seats,
            reserved_for_others=reserved_for_others(license_, user.groups, left),
            waiting=waiting,
            for_waiting=left.of(license_.license_id) - use.of(license_.license_id),
        )
    if cap is not None and left.total >= cap:
        for_waiting = left.total - use.total
        return OrganizationSeatLimitReached(in_use=use.total, max_seats=cap, waiting=waiting, for_waiting=for_waiting)
    return seat


def _after_those_before(line: Line, session_id: str, use: SeatUse, *, cap: int | None, now: datetime) -> SeatUse:
    """The seats in use when everybody before the caller has had a seat. A caller without a place is behind all.

    Each takes the seat that it would get if it asked now. A place whose user may use no free seat holds up nobody.
    ``cap`` is the organization's. It serves the oldest place of all licenses that have a free seat.
    """
    for place in line.places:
        if place.session_id == session_id or (cap is not None and use.total >= cap):
            break
        license_ = line.licenses.get(place.license_id)
        if license_ is None or not _is_for(license_, place, now=now):
            continue
        if (seat := free_seat(license_, place.groups, use)) is not None:
            pools = {} if seat.pool is None else {(place.license_id, seat.pool): 1}
            use = use.changed({place.license_id: 1}, granted=0, pools=pools)
    return use


def _is_for(license_: License, place: PlaceInLine, *, now: datetime) -> bool:
    """Whether the license gives seats to users of these groups."""
    if refuse_license(license_, now=now) is not None or not license_.has_started(now=now):
        return False
    return license_.allowed_groups is None or not license_.allowed_groups.isdisjoint(place.groups)


def _refuse_wait(until: datetime | None, *, now: datetime) -> WaitTooLong | None:
    return WaitTooLong(latest=now + MAX_WAIT) if until is not None and until > now + MAX_WAIT else None


def _waiting(user: User, license_: License, device: Device, *, until: datetime, now: datetime) -> PlaceInLine:
    """The place that the request asks for."""
    return PlaceInLine(
        session_id=_session_id(user, license_, device),
        license_id=license_.license_id,
        user_id=user.user_id,
        hardware_id=device.hardware_id,
        groups=user.groups,
        since=now,
        asked_at=now,
        wait_until=until,
        counts_until=until,
    )


def _queued(refusal: CapReached, line: Line, asking: PlaceInLine) -> Queued | CapReached | WaitTooShort:
    """Let the user wait. If as many wait as may, they are refused as without a line."""
    now = asking.asked_at
    if asking.wait_until <= now:
        return WaitTooShort()
    others = refusal.reserved_for_others if isinstance(refusal, SeatLimitReached) else 0
    free = max(0, refusal.max_seats - refusal.in_use - others)
    turn = take_turn(line, asking, free=free, now=now)
    return refusal if turn is None else Queued(turn=turn, refusal=refusal)


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


def _session_id(user: User, license_: License, device: Device) -> str:
    return session_id_of(license_id=license_.license_id, user_id=user.user_id, hardware_id=device.hardware_id)


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
        session_id=_session_id(user, license_, device),
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
