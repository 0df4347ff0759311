"""Why a request is refused that has nothing to do with the number of seats.

Each refusal is a value of its own type, so that the type checker proves every one of them answered.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.user import User


@dataclass(frozen=True, kw_only=True, slots=True)
class Unusable:
    """A document that exists but, edited by hand, cannot be used: which one, and which of its fields."""

    document: str
    document_path: str
    fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationMissing:
    """There is no document of the organization that the token names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationInactive:
    """The organization is deactivated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UserMissing:
    """The organization has no document of this user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UserInactive:
    """The user is deactivated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleNotAllowed:
    """The user's role does not allow it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseNotFound:
    """The organization has no such license."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseInactive:
    """The license is deactivated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseExpired:
    """The license's contract has ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Misconfigured:
    """A document that the decision needs cannot be used. Nothing was granted and nothing was ended."""

    unusable: Unusable


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionNotFound:
    """There is no such session, or it is somebody else's: the two are not told apart."""


MemberRefusal = OrganizationMissing | OrganizationInactive | UserMissing | UserInactive | Misconfigured
CallerRefusal = MemberRefusal | RoleNotAllowed
LicenseRefusal = LicenseNotFound | LicenseInactive | LicenseExpired | Misconfigured


def refuse_member(
    *,
    organization: Organization | Unusable | None,
    user: User | Unusable | None,
) -> MemberRefusal | None:
    """Say why this user has no say in this organization, or ``None`` for an active member of an active organization."""
    if isinstance(organization, Unusable):
        return Misconfigured(unusable=organization)
    if organization is None:
        return OrganizationMissing()
    if not organization.is_active:
        return OrganizationInactive()
    if isinstance(user, Unusable):
        return Misconfigured(unusable=user)
    if user is None:
        return UserMissing()
    return None if user.is_active else UserInactive()


def refuse_caller(
    *,
    organization: Organization | Unusable | None,
    user: User | Unusable | None,
) -> CallerRefusal | None:
    """Say why this user may not hold seats in this organization, or ``None`` when nothing stands against it."""
    if (refusal := refuse_member(organization=organization, user=user)) is not None:
        return refusal
    return None if isinstance(user, User) and user.may_hold_seats else RoleNotAllowed()


def refuse_license(license_: License | Unusable | None, *, now: datetime) -> LicenseRefusal | None:
    """Say why no seat of this license may be held at ``now``, or ``None`` when nothing stands against it."""
    if isinstance(license_, Unusable):
        return Misconfigured(unusable=license_)
    if license_ is None:
        return LicenseNotFound()
    if not license_.is_active:
        return LicenseInactive()
    return LicenseExpired() if license_.is_expired(now=now) else None
