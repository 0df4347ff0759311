"""Refusals for other reasons than the number of seats.

Each refusal has its own type, so that the type checker proves that every one of them is answered.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.user import Role, User


@dataclass(frozen=True, kw_only=True, slots=True)
class Unusable:
    """A document that cannot be used after an edit by hand, and its wrong fields."""

    document: str
    document_path: str
    fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationMissing:
    """The organization that the token names has no document."""


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
    """The user's role does not allow the request."""


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
class LicenseNotStarted:
    """The license's contract begins later."""

    starts_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptOut:
    """An owner or admin ended a session of the user, who gets no seat of the license before ``until``."""

    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseNotAllowed:
    """The license is only for users of other groups."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Misconfigured:
    """A document that the decision needs cannot be used. Nothing was granted and nothing was ended."""

    unusable: Unusable


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionNotFound:
    """There is no such session, or it belongs to another user. The answer does not say which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlreadyAMember:
    """The organization lists a user with this address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TooManyInvitations:
    """As many invitations are open as an organization may have."""

    max_invitations: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NoInvitation:
    """Nothing lets the person in. It does not say what is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InAnotherOrganization:
    """The person may join, but belongs to another organization, and tokens name only one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UserNotFound:
    """The organization lists no such user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LastOwner:
    """The user is the last active owner of the organization."""


MemberRefusal = OrganizationMissing | OrganizationInactive | UserMissing | UserInactive | Misconfigured
CallerRefusal = MemberRefusal | RoleNotAllowed
ManagerRefusal = CallerRefusal
GrantRefusal = LicenseNotStarted | LicenseNotAllowed | KeptOut
LicenseRefusal = LicenseNotFound | LicenseInactive | LicenseExpired | Misconfigured


def refuse_member(
    *,
    organization: Organization | Unusable | None,
    user: User | Unusable | None,
) -> MemberRefusal | None:
    """Refuse a user who is no active user of an active organization; ``None`` if nothing stands against it."""
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
    """Refuse a user who may not hold seats in this organization; ``None`` if nothing stands against it."""
    if (refusal := refuse_member(organization=organization, user=user)) is not None:
        return refusal
    return None if isinstance(user, User) and user.role is not Role.GUEST else RoleNotAllowed()


def refuse_manager(
    *,
    organization: Organization | Unusable | None,
    user: User | Unusable | None,
) -> ManagerRefusal | None:
    """Refuse a user who may not manage the people of this organization; ``None`` if nothing stands against it."""
    if (refusal := refuse_member(organization=organization, user=user)) is not None:
        return refusal
    return None if isinstance(user, User) and user.may_manage_people else RoleNotAllowed()


def refuse_grant(license_: License, user: User, *, now: datetime) -> GrantRefusal | None:
    """Refuse a user to whom the license may give no new seat; ``None`` if nothing stands against it.

    A user who holds a seat keeps it: an edit of these terms throws no user out.
    """
    if license_.starts_at is not None and not license_.has_started(now=now):
        return LicenseNotStarted(starts_at=license_.starts_at)
    if license_.allowed_groups is not None and license_.allowed_groups.isdisjoint(user.groups):
        return LicenseNotAllowed()
    kept_out_until = user.kept_out.get(license_.license_id)
    if kept_out_until is not None and now < kept_out_until:
        return KeptOut(until=kept_out_until)
    return None


def refuse_license(license_: License | Unusable | None, *, now: datetime) -> LicenseRefusal | None:
    """Refuse a license of which no seat may be held at ``now``; ``None`` if nothing stands against it."""
    if isinstance(license_, Unusable):
        return Misconfigured(unusable=license_)
    if license_ is None:
        return LicenseNotFound()
    if not license_.is_active:
        return LicenseInactive()
    return LicenseExpired() if license_.is_expired(now=now) else None
