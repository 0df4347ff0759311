"""A user of an organization, with a role."""

from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """One user. ``user_id`` is the uid of Firebase Authentication. Licenses may keep seats for ``groups``."""

    user_id: str
    email: str | None
    role: Role
    is_active: bool
    groups: tuple[str, ...] = ()

    @property
    def may_manage_seats(self) -> bool:
        """Owners and admins may see all sessions and end them."""
        return self.is_active and self.role in {Role.OWNER, Role.ADMIN}
