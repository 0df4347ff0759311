"""Revocation: a session ends because the right to its seat is gone."""

from datetime import datetime
from typing import assert_never

from shared.rules.refusal import (
    CallerRefusal,
    LicenseExpired,
    LicenseInactive,
    LicenseNotFound,
    LicenseRefusal,
    Misconfigured,
    OrganizationInactive,
    OrganizationMissing,
    RoleNotAllowed,
    UserInactive,
    UserMissing,
)
from shared.rules.session import EndReason, Session, ended


def revoked(session: Session, *, because: CallerRefusal | LicenseRefusal, now: datetime) -> Session:
    """End the session with the reason that the refusal gives."""
    return ended(session, reason=_reason(because), now=now)


def _reason(refusal: CallerRefusal | LicenseRefusal) -> EndReason:
    match refusal:
        case OrganizationMissing() | LicenseNotFound():
            return EndReason.DOCUMENT_REMOVED
        case OrganizationInactive():
            return EndReason.ORGANIZATION_DEACTIVATED
        case UserMissing() | UserInactive() | RoleNotAllowed():
            # Removed, or made a guest, a user may no longer hold seats: to the seat that is a deactivation.
            return EndReason.USER_DEACTIVATED
        case LicenseInactive():
            return EndReason.LICENSE_DEACTIVATED
        case LicenseExpired():
            return EndReason.LICENSE_EXPIRED
        case Misconfigured():
            message = "a misconfigured document ends no session"
            raise ValueError(message)
        case _:
            assert_never(refusal)
