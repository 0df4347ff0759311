"""Expire: sessions whose lease has run out, and sessions whose user, license or organization is gone, end."""

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
    """End the session if it is lapsed at ``now``; ``None`` when there is nothing to end."""
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
    """End the session if its lease has run out or the right to it is gone; ``None`` when it goes on.

    It asks what a heartbeat asks, so whoever is ended here would have been at the next heartbeat. A misconfigured
    document ends nothing.
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
