"""A user of an organization, with a role."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """The roles, from most to fewest rights. All users but guests may hold seats."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"

    @classmethod
    def _missing_(cls, value: object) -> "Role | None":
        """Take a role in any case, with blanks around it: people type it."""
        written = value.strip().lower() if isinstance(value, str) else None
        return next((role for role in cls if role.value == written), None)


def normal_group(group: str) -> str:
    """Give the normal form of a group. It counts in any case and with blanks around it: people type it."""
    return group.strip().lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """One user. ``user_id`` is the uid of Firebase Authentication.

    Licenses may keep seats for ``groups``. ``kept_out`` says by license until when the user gets no seat of it. Times
    that have passed may be among them.
    """

    user_id: str
    email: str | None
    role: Role
    is_active: bool
    groups: tuple[str, ...] = ()
    kept_out: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def may_manage_seats(self) -> bool:
        """Owners and admins may see all sessions and end them."""
        return self.is_active and self.role in {Role.OWNER, Role.ADMIN}

    @property
    def may_manage_people(self) -> bool:
        """Owners and admins may invite people, and change the users."""
        return self.may_manage_seats

    def may_give(self, *roles: Role | None) -> bool:
        """Whether an owner or admin may give or take these roles. Only owners do that with the role of an owner."""
        return self.role is Role.OWNER or Role.OWNER not in roles
