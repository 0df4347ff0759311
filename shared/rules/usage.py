"""Usage: how many seats are in use, which users hold them, and whether there were enough."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.rules.history import DAY, HALF_HOUR, UsageDay, start_of
from shared.rules.license import License, normal_key
from shared.rules.line import PlaceInLine
from shared.rules.organization import Organization
from shared.rules.pools import PoolUse, overdraft_in_use
from shared.rules.refusal import (
    CallerRefusal,
    LicenseExpired,
    LicenseInactive,
    LicenseNotFound,
    MemberRefusal,
    Misconfigured,
    RoleNotAllowed,
    Unusable,
    refuse_license,
    refuse_member,
)
from shared.rules.seat_use import SeatUse
from shared.rules.session import Session, is_live
from shared.rules.user import Role, User
from shared.rules.warnings import SeatWarning


class LicenseStatus(StrEnum):
    """Whether an acquire of this license may get a seat. Only an active one gives seats."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    NOT_STARTED = "not_started"
    EXPIRED = "expired"
    MISCONFIGURED = "misconfigured"


class View(StrEnum):
    """How much a report says: the seats now, or the last 24 hours too."""

    NOW = "now"
    FULL = "full"


class Visibility(StrEnum):
    """What a caller sees besides the totals."""

    ALL = "all"
    OWN_SESSIONS = "own sessions"
    NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """The last 24 hours of one license, as its history counted them until ``computed_at``, and the present.

    It begins with the first half hour of the history that lies within. ``peak_demand`` counts those who waited, too.
    ``denied_users`` counts a user once for each day, which begins at midnight in UTC.
    """

    begins_at: datetime
    computed_at: datetime
    peak_in_use: int
    peak_demand: int
    peak_overdraft: int
    denied_users: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """How many users wait for a license, and since when the first of them does; ``None`` if there is none."""

    count: int
    since: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseUsage:
    """One license. ``in_use`` counts its live sessions. ``sessions`` are those on this page, oldest first.

    ``denied_today`` are users, on this day in UTC. ``problems`` is what its document says of itself to admins.
    ``pools`` are there if it has reservations. ``borrowed`` are live sessions. ``overhang`` are ended ones whose
    device may work on all the same.
    """

    license_id: str
    license: License | Unusable
    problems: tuple[str, ...]
    status: LicenseStatus
    in_use: int
    pools: tuple[PoolUse, ...]
    borrowed: tuple[Session, ...]
    overhang: tuple[Session, ...]
    overdraft_in_use: int
    waiting: Waiting
    earliest_expiry_at: datetime | None
    sessions: tuple[Session, ...]
    denied_today: int
    activity: Activity | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """The organization's seats at one instant. The next page begins after the session ``next_page``.

    Owners and admins alone get ``warnings``. ``version`` names this report to a program that asks again.
    """

    viewer: User
    organization: Organization
    licenses: tuple[LicenseUsage, ...]
    in_use: int
    warnings: tuple[SeatWarning, ...]
    next_page: str | None
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unchanged:
    """The caller has the report of this ``version``, and it still stands."""

    version: str


UsageOutcome = Usage | Unchanged | MemberRefusal | LicenseNotFound


def visibility_of(
    *, organization: Organization | Unusable | None, user: User | Unusable | None
) -> Visibility | MemberRefusal:
    """What this user sees: owners and admins everything, members their own sessions, guests the totals."""
    if (refusal := refuse_member(organization=organization, user=user)) is not None:
        return refusal
    if not isinstance(user, User) or user.role is Role.GUEST:
        return Visibility.NOTHING
    return Visibility.ALL if user.may_manage_seats else Visibility.OWN_SESSIONS


def refuse_reader(
    *, organization: Organization | Unusable | None, user: User | Unusable | None
) -> CallerRefusal | None:
    """Refuse a user who may not read the organization's history; ``None`` for its owners and admins."""
    match visibility_of(organization=organization, user=user):
        case Visibility.ALL:
            return None
        case Visibility():
            return RoleNotAllowed()
        case refusal:
            return refusal


def without_shared_keys(licenses: Mapping[str, License | Unusable]) -> dict[str, License | Unusable]:
    """The licenses, each by the path of its document. Of those that share a key, none can be used."""
    held = Counter(normal_key(each.license_key) for each in licenses.values() if isinstance(each, License))
    return {
        path: Unusable(document="license", document_path=path, fields=("license_key",))
        if isinstance(each, License) and held[normal_key(each.license_key)] > 1
        else each
        for path, each in licenses.items()
    }


def status_of(license_: License | Unusable, *, now: datetime) -> LicenseStatus:
    """Say what an acquire would find, apart from the number of seats."""
    match refuse_license(license_, now=now):
        case None:
            has_started = isinstance(license_, License) and license_.has_started(now=now)
            return LicenseStatus.ACTIVE if has_started else LicenseStatus.NOT_STARTED
        case LicenseInactive():
            return LicenseStatus.INACTIVE
        case LicenseExpired():
            return LicenseStatus.EXPIRED
        case Misconfigured() | LicenseNotFound():
            return LicenseStatus.MISCONFIGURED


def overdraft_of(license_: License | Unusable, use: SeatUse) -> int:
    """How many overdraft seats are in use; none of a license that cannot be used."""
    return overdraft_in_use(license_, use) if isinstance(license_, License) else 0


def waiting_for(license_id: str, places: Iterable[PlaceInLine]) -> Waiting:
    since = [place.since for place in places if place.license_id == license_id]
    return Waiting(count=len(since), since=min(since, default=None))


def on_page(sessions: Iterable[Session], *, license_id: str, now: datetime) -> tuple[Session, ...]:
    """The live sessions of a license, oldest first. Lapsed ones hold no seat."""
    live = (held for held in sessions if held.license_id == license_id and is_live(held, now=now))
    return tuple(sorted(live, key=lambda held: held.started_at))


def activity(
    days: Sequence[UsageDay], *, in_use: int, overdraft_in_use: int, waiting: int, now: datetime
) -> Activity | None:
    """The activity of a license from its days; ``None`` if none has been counted yet.

    The three numbers are the present ones, because a peak after ``computed_at`` is not counted yet.
    """
    if not days:
        return None
    midnight = start_of((now - DAY).date())
    begins_at = midnight - (midnight - (now - DAY)) // HALF_HOUR * HALF_HOUR
    peak_in_use, peak_demand, peak_overdraft, denied_users = in_use, in_use + waiting, overdraft_in_use, 0
    for day in days:
        first = max(0, (begins_at - start_of(day.date)) // HALF_HOUR)
        peak_in_use = max(peak_in_use, *day.peak_in_use[first:], 0)
        peak_demand = max(peak_demand, *day.peak_demand[first:], 0)
        peak_overdraft = max(peak_overdraft, *day.peak_overdraft[first:], 0)
        denied_users += min(day.people_denied, sum(day.denied_people[first:]))
    return Activity(
        begins_at=begins_at,
        computed_at=max(day.computed_at for day in days),
        peak_in_use=peak_in_use,
        peak_demand=max(peak_demand, peak_in_use),
        peak_overdraft=peak_overdraft,
        denied_users=denied_users,
    )
