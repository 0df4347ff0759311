"""A user: a member of an organization, with a role."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user may do in the organization, from most to least."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """One member; ``user_id`` is the uid of Firebase Authentication."""

    user_id: str
    email: str | None
    role: Role
    is_active: bool

    @property
    def may_hold_seats(self) -> bool:
        """Guests look, they do not work."""
        return self.role is not Role.GUEST

    @property
    def may_manage_seats(self) -> bool:
        """Owners and admins see who holds which seat and may take one back."""
        return self.is_active and self.role in {Role.OWNER, Role.ADMIN}
