"""A model of a seat license in ten lines, and of users' rights. Tests compare the rules and the store with it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.rules.user import Role


class Holder(NamedTuple):
    """One user on one device under one license."""

    license_id: str
    user_id: str
    hardware_id: str


class Lease(NamedTuple):
    """Given at one time, for some time."""

    given_at: datetime
    until: datetime


@dataclass(kw_only=True)
class SeatLicense:
    """The model. A holder with a running lease holds a seat. A new holder above a cap gets none."""

    caps: dict[str, int]
    cap: int | None = None
    leases: dict[Holder, Lease] = field(default_factory=dict)

    def holders(self, now: datetime) -> set[Holder]:
        return {holder for holder, lease in self.leases.items() if now < lease.until}

    def in_the_way(self, holder: Holder, now: datetime) -> str | None:
        others = self.holders(now) - {holder}
        if sum(other.license_id == holder.license_id for other in others) >= self.caps[holder.license_id]:
            return "SeatLimitReached"
        return "OrganizationSeatLimitReached" if self.cap is not None and len(others) >= self.cap else None


@dataclass(kw_only=True)
class Rights:
    """Who may do anything at all."""

    roles: dict[str, Role]
    is_active: bool = True
    inactive_users: set[str] = field(default_factory=set)
    inactive_licenses: set[str] = field(default_factory=set)
    leases_for: dict[str, timedelta]

    def refusal(self, user_id: str, license_id: str) -> str | None:
        """What stands in the way of a seat, the first of it."""
        if not self.is_active:
            return "OrganizationInactive"
        if user_id in self.inactive_users:
            return "UserInactive"
        if self.roles[user_id] is Role.GUEST:
            return "RoleNotAllowed"
        return "LicenseInactive" if license_id in self.inactive_licenses else None

    def may_revoke(self, user_id: str) -> bool:
        """Whether this user may take others' seats back."""
        is_manager = self.roles[user_id] in {Role.OWNER, Role.ADMIN}
        return self.is_active and user_id not in self.inactive_users and is_manager
