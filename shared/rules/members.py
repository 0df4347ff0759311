"""Members: who may change which user of an organization."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.rules.admission import Invitation
from shared.rules.organization import Organization
from shared.rules.refusal import (
    LastOwner,
    ManagerRefusal,
    Misconfigured,
    RoleNotAllowed,
    Unusable,
    UserNotFound,
    refuse_manager,
)
from shared.rules.user import Role, User

DENIALS_FOR = timedelta(days=30)
"""For how long back the denials of a user are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberChange:
    """What is to change about a user; ``None``: it stays as it is."""

    role: Role | None = None
    groups: tuple[str, ...] | None = None
    is_active: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Changing:
    """What the decision about a change needs. ``has_other_owner``: another active user is an owner."""

    organization: Organization | Unusable | None
    caller: User | Unusable | None
    user: User | Unusable | None
    has_other_owner: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """The user as they are from now on. ``took_owner``: an owner is one no more."""

    before: User
    user: User
    took_owner: bool = False


ChangeRefusal = UserNotFound | LastOwner | ManagerRefusal
ChangeOutcome = Changed | ChangeRefusal


def change(standing: Changing, wanted: MemberChange) -> ChangeOutcome:
    """Change a user. Only owners change owners, or make them, and one active owner stays."""
    refusal = refuse_manager(organization=standing.organization, user=standing.caller)
    if refusal is not None:
        return refusal
    caller, user = standing.caller, standing.user
    assert isinstance(caller, User)  # noqa: S101 the refusal leaves nothing else; for the type checker
    if isinstance(user, Unusable):
        return Misconfigured(unusable=user)
    if user is None:
        return UserNotFound()
    changed = replace(
        user,
        role=user.role if wanted.role is None else wanted.role,
        groups=user.groups if wanted.groups is None else wanted.groups,
        is_active=user.is_active if wanted.is_active is None else wanted.is_active,
    )
    if not caller.may_give(user.role, changed.role):
        return RoleNotAllowed()
    took_owner = _is_owner(user) and not _is_owner(changed)
    if took_owner and not standing.has_other_owner:
        return LastOwner()
    return Changed(before=user, user=changed, took_owner=took_owner)


def _is_owner(user: User) -> bool:
    return user.is_active and user.role is Role.OWNER


# Seeing users


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A user, and what they use. ``denials`` are those of the last 30 days."""

    user_id: str
    user: User | Unusable
    created_at: datetime
    seats_in_use: int
    last_seat_at: datetime | None
    denials: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Members:
    """A page of users, and the open invitations."""

    members: Sequence[Member]
    invitations: Sequence[Invitation]
    next_page: str | None


MembersOutcome = Members | ManagerRefusal
