"""Turns refusals into errors of the catalogue."""

import logging
import math
from datetime import datetime
from typing import assert_never

from shared.edge.errors import (
    MESSAGES,
    ApiError,
    Code,
    FieldProblem,
    InstanceLimitDetails,
    InvalidRequestDetails,
    KeptOutDetails,
    MisconfiguredDetails,
    RevokedDetails,
    SeatLimitDetails,
)
from shared.rules.acquire import KeptOut, OrganizationSeatLimitReached, SeatLimitReached
from shared.rules.refusal import (
    LicenseExpired,
    LicenseInactive,
    LicenseNotFound,
    Misconfigured,
    OrganizationInactive,
    OrganizationMissing,
    RoleNotAllowed,
    SessionNotFound,
    UserInactive,
    UserMissing,
)
from shared.rules.release import UntilRefused
from shared.rules.session import EndReason, InstanceLimitReached, SessionOver

logger = logging.getLogger(__name__)

LONGEST_RETRY_SECONDS = 60
"""The longest ``Retry-After`` for a seat. A seat may be given back long before its lease ends."""

Refusal = (
    OrganizationMissing
    | OrganizationInactive
    | UserMissing
    | UserInactive
    | RoleNotAllowed
    | LicenseNotFound
    | LicenseInactive
    | LicenseExpired
    | KeptOut
    | UntilRefused
    | Misconfigured
    | SessionNotFound
    | SessionOver
    | SeatLimitReached
    | OrganizationSeatLimitReached
    | InstanceLimitReached
)


def refused(refusal: Refusal, *, now: datetime) -> ApiError:
    error = _in_words(refusal, now=now)
    error.decided_at = now
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
        case KeptOut(until=until):
            message = MESSAGES[Code.KEPT_OUT].format(until=f"{until:%Y-%m-%d %H:%M:%S} UTC")
            return ApiError(Code.KEPT_OUT, message, details=KeptOutDetails(until=until).as_json())
        case UntilRefused(problem=problem):
            fields = [FieldProblem(field="until", problem=problem)]
            return ApiError(Code.INVALID_REQUEST, details=InvalidRequestDetails(fields=fields).as_json())
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
        case SeatLimitReached():
            return _full(Code.SEAT_LIMIT_REACHED, refusal, now=now)
        case OrganizationSeatLimitReached():
            return _full(Code.ORGANIZATION_SEAT_LIMIT_REACHED, refusal, now=now)
        case InstanceLimitReached():
            return _too_many(refusal, now=now)
        case _:
            assert_never(refusal)


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
        case _:
            details = RevokedDetails(reason=reason).as_json()
            return ApiError(Code.SESSION_REVOKED, None if reason is None else _WHY_REVOKED.get(reason), details=details)


def _full(code: Code, refusal: SeatLimitReached | OrganizationSeatLimitReached, *, now: datetime) -> ApiError:
    retry_after = _retry_after(refusal.earliest_expiry_at, now=now)
    details = SeatLimitDetails(
        in_use=refusal.in_use,
        max=refusal.max_seats,
        earliest_expiry_at=refusal.earliest_expiry_at,
        retry_after_seconds=retry_after,
    )
    return ApiError(code, details=details.as_json(), headers={"Retry-After": str(retry_after)})


def _too_many(refusal: InstanceLimitReached, *, now: datetime) -> ApiError:
    retry_after = _retry_after(refusal.earliest_expiry_at, now=now)
    details = InstanceLimitDetails(
        session_id=refusal.session_id,
        instances=refusal.instances,
        max=refusal.max_instances,
        earliest_expiry_at=refusal.earliest_expiry_at,
        retry_after_seconds=retry_after,
    )
    headers = {"Retry-After": str(retry_after)}
    return ApiError(Code.INSTANCE_LIMIT_REACHED, details=details.as_json(), headers=headers)


def _retry_after(earliest: datetime | None, *, now: datetime) -> int:
    if earliest is None:
        return LONGEST_RETRY_SECONDS
    return min(LONGEST_RETRY_SECONDS, max(1, math.ceil((earliest - now).total_seconds())))
