"""Invitations: who may invite whom into an organization, and who may take that back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.rules.admission import MAX_INVITATIONS, OPEN_FOR, Invitation, normal_address
from shared.rules.organization import Organization
from shared.rules.refusal import (
    AlreadyAMember,
    ManagerRefusal,
    RoleNotAllowed,
    TooManyInvitations,
    Unusable,
    refuse_manager,
)
from shared.rules.user import Role, User


@dataclass(frozen=True, kw_only=True, slots=True)
class Invited:
    """The invitation is open. ``is_renewed``: it was there before."""

    invitation: Invitation
    is_renewed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawn:
    """The invitation is gone; ``None``: there was none, so nothing changes."""

    invitation: Invitation | None


InviteOutcome = Invited | AlreadyAMember | TooManyInvitations | ManagerRefusal
WithdrawOutcome = Withdrawn | ManagerRefusal


@dataclass(frozen=True, kw_only=True, slots=True)
class Inviting:
    """What the decision about an invitation needs. ``present`` is the address's invitation, open or not."""

    organization: Organization | Unusable | None
    caller: User | Unusable | None
    present: Invitation | None
    is_member: bool = False
    open_invitations: int = 0


def invite(standing: Inviting, *, email: str, role: Role, groups: Sequence[str], now: datetime) -> InviteOutcome:
    """Open the invitation of an address, or renew it. Only owners invite owners, or change such an invitation."""
    refusal = refuse_manager(organization=standing.organization, user=standing.caller)
    if refusal is not None:
        return refusal
    caller, present = standing.caller, standing.present
    assert isinstance(caller, User)  # noqa: S101 the refusal leaves nothing else; for the type checker
    is_renewed = present is not None and present.is_open(now=now)
    if not caller.may_give(role, present.role if present is not None and is_renewed else None):
        return RoleNotAllowed()
    if standing.is_member:
        return AlreadyAMember()
    if not is_renewed and standing.open_invitations >= MAX_INVITATIONS:
        return TooManyInvitations(max_invitations=MAX_INVITATIONS)
    invitation = Invitation(
        email=normal_address(email),
        role=role,
        groups=tuple(groups),
        invited_by=caller.user_id,
        created_at=now,
        expires_at=now + OPEN_FOR,
    )
    return Invited(invitation=invitation, is_renewed=is_renewed)


def withdraw(standing: Inviting) -> WithdrawOutcome:
    """Take an invitation back. Only owners take back that of an owner."""
    refusal = refuse_manager(organization=standing.organization, user=standing.caller)
    if refusal is not None:
        return refusal
    assert isinstance(standing.caller, User)  # noqa: S101 the refusal leaves nothing else; for the type checker
    if standing.present is not None and not standing.caller.may_give(standing.present.role):
        return RoleNotAllowed()
    return Withdrawn(invitation=standing.present)
