"""Turns refusals into errors of the catalogue."""

import logging
import math
from datetime import datetime
from typing import assert_never

from shared.edge.errors import (
    ApiError,
    Code,
    InstanceLimitDetails,
    MisconfiguredDetails,
    RevokedDetails,
    SeatLimitDetails,
)
from shared.rules.acquire import OrganizationSeatLimitReached, SeatLimitReached
from shared.rules.heartbeat import SessionOver
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
from shared.rules.session import EndReason, InstanceLimitReached

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
            return ApiError(Code.NO_ORGANIZATION, "the organization that the ID token names does not exist")
        case OrganizationInactive():
            return ApiError(Code.ORGANIZATION_INACTIVE, "the organization is deactivated")
        case UserMissing() | UserInactive():
            message = "the user is deactivated, or no longer belongs to the organization"
            return ApiError(Code.USER_INACTIVE, message)
        case RoleNotAllowed():
            return ApiError(Code.ROLE_NOT_ALLOWED, "the user's role does not allow this")
        case LicenseNotFound():
            return ApiError(Code.LICENSE_NOT_FOUND, "the organization has no license with this key")
        case LicenseInactive():
            return ApiError(Code.LICENSE_INACTIVE, "the license is deactivated")
        case LicenseExpired():
            return ApiError(Code.LICENSE_EXPIRED, "the license has expired")
        case Misconfigured(unusable=unusable):
            logger.warning(
                "an admin must correct a document: some of its fields cannot be used",
                extra={"document_path": unusable.document_path, "fields": list(unusable.fields)},
            )
            message = f"an admin must correct the document of the {unusable.document}: some fields cannot be used"
            details = MisconfiguredDetails(document=unusable.document, fields=list(unusable.fields))
            return ApiError(Code.LICENSE_MISCONFIGURED, message, details=details.as_json())
        case SessionNotFound():
            return ApiError(Code.SESSION_NOT_FOUND, "there is no such session")
        case SessionOver(reason=reason):
            return _over(reason)
        case SeatLimitReached():
            return _full(Code.SEAT_LIMIT_REACHED, "every seat of the license is in use", refusal, now=now)
        case OrganizationSeatLimitReached():
            message = "every seat that the organization may use at a time is in use"
            return _full(Code.ORGANIZATION_SEAT_LIMIT_REACHED, message, refusal, now=now)
        case InstanceLimitReached():
            return _too_many(refusal, now=now)
        case _:
            assert_never(refusal)


def _over(reason: EndReason | None) -> ApiError:
    match reason:
        case EndReason.RELEASED:
            return ApiError(Code.SESSION_RELEASED, "the session was released; acquire a seat again")
        case EndReason.EXPIRED:
            return ApiError(Code.SESSION_EXPIRED, "the lease ran out and the seat is free; acquire a seat again")
        case _:
            details = RevokedDetails(reason=reason).as_json()
            return ApiError(Code.SESSION_REVOKED, "the session was revoked", details=details)


def _full(
    code: Code, message: str, refusal: SeatLimitReached | OrganizationSeatLimitReached, *, now: datetime
) -> ApiError:
    retry_after = _retry_after(refusal.earliest_expiry_at, now=now)
    details = SeatLimitDetails(
        in_use=refusal.in_use,
        max=refusal.max_seats,
        earliest_expiry_at=refusal.earliest_expiry_at,
        retry_after_seconds=retry_after,
    )
    return ApiError(code, message, details=details.as_json(), headers={"Retry-After": str(retry_after)})


def _too_many(refusal: InstanceLimitReached, *, now: datetime) -> ApiError:
    retry_after = _retry_after(refusal.earliest_expiry_at, now=now)
    details = InstanceLimitDetails(
        session_id=refusal.session_id,
        instances=refusal.instances,
        max=refusal.max_instances,
        earliest_expiry_at=refusal.earliest_expiry_at,
        retry_after_seconds=retry_after,
    )
    message = "as many instances of the program work on this seat as the license allows"
    headers = {"Retry-After": str(retry_after)}
    return ApiError(Code.INSTANCE_LIMIT_REACHED, message, details=details.as_json(), headers=headers)


def _retry_after(earliest: datetime | None, *, now: datetime) -> int:
    if earliest is None:
        return LONGEST_RETRY_SECONDS
    return min(LONGEST_RETRY_SECONDS, max(1, math.ceil((earliest - now).total_seconds())))
