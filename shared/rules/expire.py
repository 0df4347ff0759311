"""Expire and reconcile: end sessions whose lease ran out, or whose user, license or organization lost the right."""

from datetime import datetime
from typing import assert_never

from shared.rules.license import License
from shared.rules.organization import Organization
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
    Unusable,
    UserInactive,
    UserMissing,
    refuse_caller,
    refuse_license,
)
from shared.rules.session import EndReason, Session, ended, is_live, is_open
from shared.rules.user import User


def expire(session: Session, *, now: datetime) -> Session | None:
    """End the session if its lease has run out at ``now``; ``None`` if it has not, or if the session has ended."""
    if not is_open(session) or is_live(session, now=now):
        return None
    return ended(session, reason=EndReason.EXPIRED, now=now)


def reconcile(
    session: Session,
    *,
    organization: Organization | Unusable | None,
    user: User | Unusable | None,
    license_: License | Unusable | None,
    now: datetime,
) -> Session | None:
    """End the session if its lease has run out or its user lost the right to it; ``None`` if it goes on.

    It checks what a heartbeat checks, so the next heartbeat would have ended the session as well. A misconfigured
    document ends no session.
    """
    if not is_open(session):
        return None
    if (expired := expire(session, now=now)) is not None:
        return expired
    refusal = refuse_caller(organization=organization, user=user) or refuse_license(license_, now=now)
    if refusal is None or isinstance(refusal, Misconfigured):
        return None
    return revoked(session, because=refusal, now=now)


def revoked(session: Session, *, because: CallerRefusal | LicenseRefusal, now: datetime) -> Session:
    return ended(session, reason=_reason(because), now=now)


def _reason(refusal: CallerRefusal | LicenseRefusal) -> EndReason:
    match refusal:
        case OrganizationMissing() | LicenseNotFound():
            return EndReason.DOCUMENT_REMOVED
        case OrganizationInactive():
            return EndReason.ORGANIZATION_DEACTIVATED
        case UserMissing() | UserInactive() | RoleNotAllowed():
            # A user who was removed or made a guest may hold no seat. For a session that is a deactivation.
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
