"""The answer of usage. The type checker proves that every outcome has one."""

from datetime import datetime, timedelta

from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import PRIVATE, Answer, answer
from shared.edge.refusals import refused
from shared.firestore.group_commit import Answered
from shared.rules.license import Feature, License
from shared.rules.session import Session, heard_of, is_borrowed
from shared.rules.usage import LicenseStatus, LicenseUsage, Unchanged, Usage, UsageOutcome
from shared.rules.user import Role
from shared.rules.warnings import WarningCode


class SessionView(Answer):
    """One live session, and how many instances work on its seat from which addresses."""

    session_id: str
    user_id: str
    user_email: str | None
    hardware_id: str
    ip_address: str | None
    user_agent: str | None
    started_at: Time
    last_heartbeat_at: Time
    lease_expires_at: Time
    pool: str | None
    is_overdraft: bool
    borrowed_until: Time | None
    instances: int
    addresses: list[str]


class ActivityView(Answer):
    """The last 24 hours of a license, as its history counted them until ``computed_at``, and the present numbers."""

    begins_at: Time
    computed_at: Time
    peak_in_use: int
    peak_demand: int
    peak_overdraft: int
    denied_users: int


class PoolView(Answer):
    """The seats that are reserved for one group; a null ``group``: the common ones."""

    group: str | None
    in_use: int
    max: int


class OverdraftView(Answer):
    """The seats above ``max``: in use, and how many may be."""

    in_use: int
    max: int


class OverhangView(Answer):
    """An ended session whose device may work until ``until`` all the same, because it has borrowed the seat."""

    session_id: str
    user_id: str
    user_email: str | None
    hardware_id: str
    until: Time


class BorrowedView(Answer):
    """The borrowed seats in use, how many may be (null: all of them), and the overhang that the caller may see."""

    in_use: int
    max: int | None
    overhang: list[OverhangView]


class WaitersView(Answer):
    """How many users wait for a seat, and since when the first of them does. null: no user waits."""

    count: int
    since: Time | None


class TermsView(Answer):
    """The terms of a license, and what is wrong with its document. All but ``problems`` are null if it cannot be used.

    A null of ``allowed_groups`` otherwise stands for all users, of ``idle_seconds`` for never, and of any other number
    for no limit.
    """

    allowed_groups: list[str] | None
    reservations: dict[str, int] | None
    max_devices_per_user: int | None
    overdraft_seats: int | None
    idle_seconds: int | None
    max_borrow_seconds: int | None
    max_borrowed_seats: int | None
    max_instances_per_seat: int | None
    lease_seconds: int | None
    grace_seconds: int | None
    problems: list[str]


class LicenseView(Answer):
    """One license. ``share`` is ``in_use`` divided by ``max``. An admin must correct ``misconfigured_fields``.

    Only an ``active`` license gives seats. ``is_active``, ``starts_at``, ``expires_at`` and ``features`` are what its
    document says. A license with reservations has ``pools``. Like ``overdraft``, they still count a lease that ran out
    a moment ago.

    ``license_key`` and ``terms`` are for owners and admins. So is ``last_24_hours``, in the full view.
    """

    license_id: str
    license_key: str | None
    name: str | None
    status: LicenseStatus
    is_active: bool | None
    starts_at: Time | None
    expires_at: Time | None
    features: dict[str, Feature]
    terms: TermsView | None
    in_use: int
    max: int | None
    overdraft: OverdraftView
    pools: list[PoolView]
    borrowed: BorrowedView
    waiting: WaitersView
    share: float | None
    earliest_expiry_at: Time | None
    misconfigured_fields: list[str]
    last_24_hours: ActivityView | None
    sessions: list[SessionView]


class OrganizationView(Answer):
    """The organization. A null ``max`` means that only the licenses' own caps count."""

    organization_id: str
    name: str
    in_use: int
    max: int | None


class ViewerView(Answer):
    """The caller."""

    user_id: str
    email: str | None
    role: Role


class WarningView(Answer):
    """What an owner or admin should know. A null ``license_id``: it is about the whole organization."""

    code: WarningCode
    license_id: str | None
    number: int | None
    at: Time | None
    message: str


class UsageAnswer(Answer):
    """Who holds which seat. Totals are complete on every page. A null ``next_page_token`` means the last page.

    ``warnings`` are for owners and admins.
    """

    viewer: ViewerView
    organization: OrganizationView
    licenses: list[LicenseView]
    warnings: list[WarningView]
    next_page_token: str | None
    server_time: Time


def answer_usage(answered: Answered[UsageOutcome]) -> Response:
    outcome = answered.outcome
    if isinstance(outcome, Unchanged):
        return Response(status_code=304, headers={**PRIVATE, **_tag(outcome.version)})
    if not isinstance(outcome, Usage):
        raise refused(outcome, now=answered.now)
    organization, sees_all = outcome.organization, outcome.viewer.may_manage_seats
    body = UsageAnswer(
        viewer=outcome.viewer,
        organization=OrganizationView.from_record(
            organization, in_use=outcome.in_use, max=organization.max_concurrent_seats
        ),
        licenses=[_license_view(each, sees_all=sees_all, now=answered.now) for each in outcome.licenses],
        warnings=outcome.warnings,
        next_page_token=outcome.next_page,
        server_time=answered.now,
    )
    return answer(body, headers={**PRIVATE, **_tag(outcome.version)})


def _tag(version: str) -> dict[str, str]:
    # Weak: a report that is made anew of the same state has another time.
    return {"ETag": f'W/"{version}"'}


def _license_view(used: LicenseUsage, *, sees_all: bool, now: datetime) -> LicenseView:
    license_ = used.license if isinstance(used.license, License) else None
    cap = None if license_ is None else license_.max_concurrent_seats
    return LicenseView(
        license_id=used.license_id,
        license_key=license_.license_key if license_ is not None and sees_all else None,
        name=None if license_ is None else license_.name,
        status=used.status,
        is_active=None if license_ is None else license_.is_active,
        starts_at=None if license_ is None else license_.starts_at,
        expires_at=None if license_ is None else license_.expires_at,
        features={} if license_ is None else dict(license_.features),
        terms=_terms_view(used) if sees_all else None,
        in_use=used.in_use,
        max=cap,
        overdraft=OverdraftView(in_use=used.overdraft_in_use, max=0 if license_ is None else license_.overdraft_seats),
        pools=[PoolView(group=pool.group, in_use=pool.in_use, max=pool.max_seats) for pool in used.pools],
        borrowed=_borrowed_view(used, license_),
        waiting=used.waiting,
        share=round(used.in_use / cap, 4) if cap else None,
        earliest_expiry_at=used.earliest_expiry_at,
        misconfigured_fields=[] if isinstance(used.license, License) else list(used.license.fields),
        last_24_hours=used.activity,
        sessions=[_session_view(session, now=now) for session in used.sessions],
    )


def _terms_view(used: LicenseUsage) -> TermsView:
    problems = list(used.problems)
    if not isinstance(used.license, License):
        return TermsView.model_validate({**dict.fromkeys(TermsView.model_fields), "problems": problems})
    license_ = used.license
    return TermsView(
        allowed_groups=None if license_.allowed_groups is None else sorted(license_.allowed_groups),
        reservations=dict(license_.reservations),
        max_devices_per_user=license_.max_devices_per_user,
        overdraft_seats=license_.overdraft_seats,
        idle_seconds=None if license_.idle_for is None else _seconds(license_.idle_for),
        max_borrow_seconds=_seconds(license_.borrow_for),
        max_borrowed_seats=license_.max_borrowed_seats,
        max_instances_per_seat=license_.max_instances,
        lease_seconds=_seconds(license_.lease_for),
        grace_seconds=_seconds(license_.grace_for),
        problems=problems,
    )


def _seconds(time: timedelta) -> int:
    return int(time.total_seconds())


def _borrowed_view(used: LicenseUsage, license_: License | None) -> BorrowedView:
    overhang = [
        OverhangView.from_record(each, until=each.borrowed_until)
        for each in used.overhang
        if each.borrowed_until is not None
    ]
    most = None if license_ is None else license_.max_borrowed_seats if license_.borrow_for else 0
    return BorrowedView(in_use=len(used.borrowed), max=most, overhang=overhang)


def _session_view(session: Session, *, now: datetime) -> SessionView:
    at_work = heard_of(session, now=now)
    return SessionView.from_record(
        session,
        borrowed_until=session.borrowed_until if is_borrowed(session, now=now) else None,
        instances=len(at_work),
        addresses=sorted({each.ip_address for each in at_work if each.ip_address is not None}),
    )
