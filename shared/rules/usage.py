"""Usage: how many seats are in use, which users hold them, and whether there were enough."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.rules.audit import ENDS, AuditType
from shared.rules.license import License, normal_key
from shared.rules.line import PlaceInLine
from shared.rules.organization import Organization
from shared.rules.pools import PoolUse, overdraft_in_use
from shared.rules.refusal import (
    LicenseExpired,
    LicenseInactive,
    LicenseNotFound,
    MemberRefusal,
    Misconfigured,
    Unusable,
    refuse_license,
    refuse_member,
)
from shared.rules.seat_use import SeatUse
from shared.rules.session import Session, is_live
from shared.rules.user import Role, User
from shared.rules.warnings import SeatWarning

ACTIVITY_FOR = timedelta(hours=24)
"""The time that the peak and the denials cover."""


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
class SeatEvent:
    """The parts of an audit event that the activity is computed from. ``attempts`` counts only for a denial.

    ``pool`` is the group whose reserved seat was taken or given back.
    """

    at: datetime
    type: AuditType
    license_id: str
    user_id: str
    attempts: int
    pool: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """The last 24 hours of one license: the most seats in use at a time, overdraft ones, and the users who got none.

    The sums have everything since ``begins_at``, and nothing before.
    """

    begins_at: datetime
    peak_in_use: int
    peak_overdraft: int
    denied_users: int
    denied_attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """How many users wait for a license, and since when the first of them does; ``None`` if there is none."""

    count: int
    since: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseUsage:
    """One license. ``in_use`` counts its live sessions. ``sessions`` are those on this page, oldest first.

    ``problems`` is what its document says of itself to admins. ``pools`` are there if the license has reservations.
    ``borrowed`` are live sessions. ``overhang`` are ended ones whose device may work on all the same.
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
    license_id: str,
    license_: License | Unusable,
    events: Sequence[SeatEvent],
    *,
    open_now: SeatUse,
    begins_at: datetime,
) -> Activity:
    """The activity of a license. ``open_now`` are its sessions that have not ended.

    The peaks are found by going back from now. Before an acquire one seat less was in use, before an end one more.
    Events of one commit have the same time; the ends come first. Overdraft is measured by the present terms.
    """
    own = [event for event in events if event.license_id == license_id]
    own.sort(key=lambda event: (event.at, event.type is AuditType.ACQUIRED), reverse=True)
    use = open_now
    peak, peak_overdraft = use.of(license_id), overdraft_of(license_, use)
    for event in own:
        before = -1 if event.type is AuditType.ACQUIRED else 1 if event.type in ENDS else 0
        if before:
            pools = {} if event.pool is None else {(license_id, event.pool): before}
            use = use.changed({license_id: before}, granted=0, pools=pools)
            peak, peak_overdraft = max(peak, use.of(license_id)), max(peak_overdraft, overdraft_of(license_, use))
    denials = [event for event in own if event.type is AuditType.DENIED]
    return Activity(
        begins_at=begins_at,
        peak_in_use=peak,
        peak_overdraft=peak_overdraft,
        denied_users=len({event.user_id for event in denials}),
        denied_attempts=sum(event.attempts for event in denials),
    )
