"""Usage: who holds which seat, for those who manage them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import CallerRefusal, RoleNotAllowed, Unusable, refuse_caller
from shared.rules.session import Session, is_live
from shared.rules.user import User


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseUsage:
    """One license and the live sessions that hold its seats, longest first."""

    license_id: str
    license: License | Unusable
    sessions: tuple[Session, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """The organization's seats at one instant. ``in_use`` counts live sessions only: lapsed seats are free."""

    organization: Organization
    licenses: tuple[LicenseUsage, ...]
    in_use: int


UsageOutcome = Usage | CallerRefusal


def refuse_viewer(
    *, organization: Organization | Unusable | None, user: User | Unusable | None
) -> CallerRefusal | None:
    """Say why this user may not see who holds which seat, or ``None``: owners and admins may."""
    if (refusal := refuse_caller(organization=organization, user=user)) is not None:
        return refusal
    return None if isinstance(user, User) and user.may_manage_seats else RoleNotAllowed()


def usage(
    organization: Organization,
    licenses: Sequence[tuple[str, License | Unusable]],
    sessions: Sequence[Session],
    *,
    now: datetime,
) -> Usage:
    """Sort the live sessions under their licenses. A session whose license is gone counts for the organization only."""
    live = sorted((held for held in sessions if is_live(held, now=now)), key=lambda held: held.started_at)
    return Usage(
        organization=organization,
        licenses=tuple(
            LicenseUsage(
                license_id=license_id,
                license=license_,
                sessions=tuple(held for held in live if held.license_id == license_id),
            )
            for license_id, license_ in licenses
        ),
        in_use=len(live),
    )
