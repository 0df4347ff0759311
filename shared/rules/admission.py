"""How people come into an organization: an invitation, and what let them in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from shared.rules.organization import Organization
from shared.rules.user import Role, User

OPEN_FOR = timedelta(days=14)
"""How long an invitation is open."""

MAX_INVITATIONS = 200
"""The most open invitations of an organization."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Invitation:
    """An address whose user may join, with the role and the groups that the user then has.

    It carries no secret: the proof is a sign-in with the verified address.
    """

    email: str
    role: Role
    groups: tuple[str, ...] = ()
    invited_by: str
    created_at: datetime
    expires_at: datetime

    @property
    def invitation_id(self) -> str:
        return invitation_id_of(self.email)

    def is_open(self, *, now: datetime) -> bool:
        return now < self.expires_at


def normal_address(address: str) -> str:
    """Give the form in which addresses are compared: small letters, no blanks around. Firebase stores them so.

    Only an address of ASCII is changed. Elsewhere other letters would become the same, as the Kelvin sign becomes a k.
    """
    stripped = address.strip()
    return stripped.lower() if stripped.isascii() else stripped


def invitation_id_of(email: str) -> str:
    """Name the invitation of an address: an organization has one for each."""
    return sha256(normal_address(email).encode()).hexdigest()


class JoinedBy(StrEnum):
    """What let a person into an organization."""

    INVITATION = "invitation"
    PROVIDER = "provider"
    DOMAIN = "domain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """The person is a user of the organization from now on."""

    organization: Organization
    user: User
    by: JoinedBy
    invitation: Invitation | None = None
    domain: str | None = None
    provider: str | None = None
