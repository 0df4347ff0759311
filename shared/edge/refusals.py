"""Turns refusals into errors of the catalogue."""

import logging
import math
from datetime import UTC, datetime, timedelta
from typing import assert_never

from shared.documents.rfc3339 import rfc3339
from shared.edge.errors import (
    MESSAGES,
    ApiError,
    BorrowedSeatsDetails,
    BorrowTooLongDetails,
    Code,
    DeviceLimitDetails,
    FieldProblem,
    InstanceLimitDetails,
    InvalidRequestDetails,
    InvitationLimitDetails,
    KeptOutDetails,
    MisconfiguredDetails,
    NotStartedDetails,
    OwnSession,
    RevokedDetails,
    SeatLimitDetails,
)
from shared.rules.acquire import DeviceLimitReached, OrganizationSeatLimitReached, SeatLimitReached
from shared.rules.borrowing import BorrowedSeatsLimitReached, BorrowingOff, BorrowTooLong, BorrowTooShort
from shared.rules.heartbeat import IdleLeft
from shared.rules.history_summary import HistoryTooLong
from shared.rules.line import MAX_WAIT, WaitTooLong, WaitTooShort
from shared.rules.refusal import (
    AlreadyAMember,
    InAnotherOrganization,
    KeptOut,
    LastOwner,
    LicenseExpired,
    LicenseInactive,
    LicenseNotAllowed,
    LicenseNotFound,
    LicenseNotStarted,
    Misconfigured,
    NoInvitation,
    OrganizationInactive,
    OrganizationMissing,
    RoleNotAllowed,
    SessionNotFound,
    TooManyInvitations,
    UserInactive,
    UserMissing,
    UserNotFound,
)
from shared.rules.release import UntilRefused
from shared.rules.session import EndReason, InstanceLimitReached, SessionOver
from shared.rules.sign_in import POLL_EVERY, SignInExpired, SignInPending, SignInRefused, UserCodeMissing

logger = logging.getLogger(__name__)

LONGEST_RETRY_SECONDS = 60
"""The longest ``Retry-After`` for a seat, and that of refusals that last for a time that is not known. A seat may be
given back long before its lease ends."""

Refusal = (
    OrganizationMissing
    | OrganizationInactive
    | UserMissing
    | UserInactive
    | RoleNotAllowed
    | LicenseNotFound
    | LicenseInactive
    | LicenseExpired
    | LicenseNotStarted
    | LicenseNotAllowed
    | KeptOut
    | UntilRefused
    | Misconfigured
    | SessionNotFound
    | SessionOver
    | IdleLeft
    | SeatLimitReached
    | OrganizationSeatLimitReached
    | InstanceLimitReached
    | DeviceLimitReached
    | BorrowingOff
    | BorrowTooShort
    | BorrowTooLong
    | BorrowedSeatsLimitReached
    | WaitTooShort
    | WaitTooLong
    | HistoryTooLong
    | NoInvitation
    | InAnotherOrganization
    | AlreadyAMember
    | TooManyInvitations
    | UserNotFound
    | LastOwner
    | SignInExpired
    | SignInPending
    | SignInRefused
    | UserCodeMissing
)


def refused(refusal: Refusal, *, now: datetime) -> ApiError:
    error = _in_words(refusal, now=now)
    error.decided_at = now
    if error.code.retryable:
        seconds = error.details.get("retry_after_seconds", LONGEST_RETRY_SECONDS)
        error.headers.setdefault("Retry-After", str(seconds))
    return error


def _in_words(refusal: Refusal, *, now: datetime) -> ApiError:  # noqa: C901, PLR0911, PLR0912 one case for each refusal reads best
    match refusal:
        case OrganizationMissing():
            return ApiError(
                Code.NO_ORGANIZATION, "Your organization does not exist. Please talk to your administrator."
            )
        case OrganizationInactive():
            return ApiError(Code.ORGANIZATION_INACTIVE)
        case UserMissing() | UserInactive():
            return ApiError(Code.USER_INACTIVE)
        case RoleNotAllowed():
            return ApiError(Code.ROLE_NOT_ALLOWED)
        case LicenseNotFound():
            return ApiError(Code.LICENSE_NOT_FOUND)
        case LicenseInactive():
            return ApiError(Code.LICENSE_INACTIVE)
        case LicenseExpired():
            return ApiError(Code.LICENSE_EXPIRED)
        case LicenseNotStarted(starts_at=starts_at):
            message = f"The license begins on {starts_at.astimezone(UTC):%Y-%m-%d at %H:%M} UTC. Please come back then."
            return ApiError(Code.LICENSE_NOT_STARTED, message, details=NotStartedDetails(starts_at=starts_at).as_json())
        case LicenseNotAllowed():
            return ApiError(Code.LICENSE_NOT_ALLOWED)
        case KeptOut(until=until):
            message = MESSAGES[Code.KEPT_OUT].format(until=f"{until:%Y-%m-%d %H:%M:%S} UTC")
            return ApiError(Code.KEPT_OUT, message, details=KeptOutDetails(until=until).as_json())
        case UntilRefused(problem=problem):
            return _wrong_field("until", problem)
        case Misconfigured(unusable=unusable):
            logger.warning(
                "an admin must correct a document: some of its fields cannot be used",
                extra={"document_path": unusable.document_path, "fields": list(unusable.fields)},
            )
            details = MisconfiguredDetails(document=unusable.document, fields=list(unusable.fields))
            return ApiError(Code.LICENSE_MISCONFIGURED, details=details.as_json())
        case SessionNotFound():
            return ApiError(Code.SESSION_NOT_FOUND)
        case SessionOver(reason=reason):
            return _over(reason)
        case IdleLeft():
            return ApiError(Code.SESSION_IDLE)
        case SeatLimitReached():
            return _full(Code.SEAT_LIMIT_REACHED, refusal, now=now)
        case OrganizationSeatLimitReached():
            return _full(Code.ORGANIZATION_SEAT_LIMIT_REACHED, refusal, now=now)
        case NoInvitation():
            return ApiError(Code.NO_INVITATION)
        case InAnotherOrganization():
            return ApiError(Code.IN_ANOTHER_ORGANIZATION)
        case UserNotFound():
            return ApiError(Code.USER_NOT_FOUND)
        case AlreadyAMember():
            return ApiError(Code.ALREADY_A_MEMBER)
        case TooManyInvitations(max_invitations=most):
            return ApiError(Code.INVITATION_LIMIT_REACHED, details=InvitationLimitDetails(max=most).as_json())
        case LastOwner():
            return ApiError(Code.LAST_OWNER)
        case BorrowingOff():
            return ApiError(Code.BORROWING_OFF)
        case BorrowTooShort():
            return _wrong_field("borrow_until", "not later than now, by the database's clock")
        case WaitTooShort():
            return _wrong_field("wait_until", "not later than now, by the database's clock")
        case WaitTooLong(latest=latest):
            hours = MAX_WAIT // timedelta(hours=1)
            return _wrong_field("wait_until", f"more than {hours} hours ahead: {rfc3339(latest)} at the latest")
        case BorrowTooLong(latest=latest):
            message = f"A seat can be borrowed until {latest.astimezone(UTC):%Y-%m-%d %H:%M} UTC at most."
            return ApiError(Code.BORROW_TOO_LONG, message, details=BorrowTooLongDetails(latest_until=latest).as_json())
        case BorrowedSeatsLimitReached():
            return _too_many_borrowed(refusal, now=now)
        case InstanceLimitReached():
            return _too_many(refusal, now=now)
        case DeviceLimitReached():
            return _too_many_devices(refusal, now=now)
        case HistoryTooLong(most_days=most):
            return _wrong_field("to", f"more than {most} days of all licenses: ask for fewer days, or for one license")
        case SignInExpired():
            return ApiError(Code.SIGN_IN_EXPIRED)
        case SignInPending():
            return ApiError(Code.SIGN_IN_PENDING, headers={"Retry-After": str(POLL_EVERY // timedelta(seconds=1))})
        case SignInRefused():
            return ApiError(Code.SIGN_IN_REFUSED)
        case UserCodeMissing():
            return _wrong_field("user_code", "missing: the person types the code that the device shows")
        case _:
            assert_never(refusal)


def _wrong_field(field: str, problem: str) -> ApiError:
    problems = [FieldProblem(field=field, problem=problem)]
    return ApiError(Code.INVALID_REQUEST, details=InvalidRequestDetails(fields=problems).as_json())


_WHY_REVOKED = {
    EndReason.RELEASED_ELSEWHERE: "Your seat was given back from elsewhere.",
    EndReason.USER_DEACTIVATED: "Your session was ended because your account was deactivated.",
    EndReason.LICENSE_DEACTIVATED: "Your session was ended because the license was deactivated.",
    EndReason.LICENSE_EXPIRED: "Your session was ended because the license has expired.",
    EndReason.ORGANIZATION_DEACTIVATED: "Your session was ended because your organization was deactivated.",
}


def _over(reason: EndReason | None) -> ApiError:
    match reason:
        case EndReason.RELEASED:
            return ApiError(Code.SESSION_RELEASED)
        case EndReason.EXPIRED:
            return ApiError(Code.SESSION_EXPIRED)
        case EndReason.IDLE:
            return ApiError(Code.SESSION_IDLE)
        case _:
            details = RevokedDetails(reason=reason).as_json()
            return ApiError(Code.SESSION_REVOKED, None if reason is None else _WHY_REVOKED.get(reason), details=details)


_ALL_BUT_RESERVED = (
    "Every seat that you may use is in use ({in_use} of {max}; {reserved_for_others} are reserved for other groups). "
    "Please try again in a while."
)

_ALL_FOR_WAITING = (
    "Every free seat is for users who wait already ({in_use} of {max} are in use, {waiting} users wait). "
    "Please try again in a while."
)


def _full(code: Code, refusal: SeatLimitReached | OrganizationSeatLimitReached, *, now: datetime) -> ApiError:
    others = refusal.reserved_for_others if isinstance(refusal, SeatLimitReached) else 0
    details = SeatLimitDetails(
        in_use=refusal.in_use,
        max=refusal.max_seats,
        reserved_for_others=others,
        waiting=refusal.waiting,
        for_waiting=refusal.for_waiting,
        earliest_expiry_at=refusal.earliest_expiry_at,
        retry_after_seconds=_retry_after(refusal.earliest_expiry_at, now=now),
    )
    said = _ALL_FOR_WAITING if refusal.for_waiting else _ALL_BUT_RESERVED if others else None
    message = None if said is None else said.format_map(details.as_json())
    return ApiError(code, message, details=details.as_json())


def _too_many(refusal: InstanceLimitReached, *, now: datetime) -> ApiError:
    details = InstanceLimitDetails(
        session_id=refusal.session_id,
        instances=refusal.instances,
        max=refusal.max_instances,
        earliest_expiry_at=refusal.earliest_expiry_at,
        retry_after_seconds=_retry_after(refusal.earliest_expiry_at, now=now),
    )
    return ApiError(Code.INSTANCE_LIMIT_REACHED, details=details.as_json())


def _too_many_devices(refusal: DeviceLimitReached, *, now: datetime) -> ApiError:
    details = DeviceLimitDetails(
        sessions=[
            OwnSession(session_id=each.session_id, hardware_id=each.hardware_id, started_at=each.started_at)
            for each in refusal.own
        ],
        max=refusal.max_devices,
        earliest_expiry_at=refusal.earliest_expiry_at,
        retry_after_seconds=_retry_after(refusal.earliest_expiry_at, now=now),
    )
    return ApiError(Code.USER_DEVICE_LIMIT_REACHED, details=details.as_json())


def _too_many_borrowed(refusal: BorrowedSeatsLimitReached, *, now: datetime) -> ApiError:
    details = BorrowedSeatsDetails(
        borrowed=refusal.borrowed,
        max=refusal.max_borrowed,
        earliest_expiry_at=refusal.earliest_expiry_at,
        retry_after_seconds=_retry_after(refusal.earliest_expiry_at, now=now),
    )
    return ApiError(Code.BORROWED_SEATS_LIMIT_REACHED, details=details.as_json())


def _retry_after(earliest: datetime | None, *, now: datetime) -> int:
    if earliest is None:
        return LONGEST_RETRY_SECONDS
    return min(LONGEST_RETRY_SECONDS, max(1, math.ceil((earliest - now).total_seconds())))
