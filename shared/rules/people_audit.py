"""Audit events about people who come into an organization: who invited them, what let them in, what keeps them out."""

from datetime import datetime

from shared.rules.admission import Invitation, Joined
from shared.rules.audit import SYSTEM, AuditEvent, AuditType, EditKind
from shared.rules.digest import digest


def invited(invitation: Invitation, *, edit: EditKind, actor: str, now: datetime) -> AuditEvent:
    """Report that an invitation was made, renewed or taken back. It names the address by its hash only."""
    return AuditEvent(
        # The precondition on the invitation makes sure that a change of it is written once.
        name=digest(AuditType.USER_INVITED, invitation.invitation_id, edit, now.isoformat()),
        type=AuditType.USER_INVITED,
        at=now,
        actor=actor,
        details={
            "edit": edit.value,
            "invitation_id": invitation.invitation_id,
            "role": invitation.role.value,
            "groups": list(invitation.groups),
            "expires_at": invitation.expires_at,
        },
    )


def joined(way: Joined, *, now: datetime) -> AuditEvent:
    """Report that a person became a user by themselves, who is the actor, and what let them in."""
    invitation = way.invitation
    return AuditEvent(
        # The user's document is created in the same commit. One that was deleted and joins again joins at another time.
        name=digest(AuditType.USER_JOINED, way.user.user_id, now.isoformat()),
        type=AuditType.USER_JOINED,
        at=now,
        actor=way.user.user_id,
        user_id=way.user.user_id,
        details={
            "by": way.by.value,
            "role": way.user.role.value,
            "groups": list(way.user.groups),
            "invitation_id": None if invitation is None else invitation.invitation_id,
            "invited_by": None if invitation is None else invitation.invited_by,
            "provider": way.provider,
            "domain": way.domain,
        },
    )


def belongs_elsewhere(user_id: str, *, listed_since: datetime, now: datetime) -> AuditEvent:
    """Report that this organization lists a user who belongs to another one. It never names that one."""
    return AuditEvent(
        # The precondition on the review record makes sure that it is written once.
        name=digest(AuditType.BELONGS_ELSEWHERE, user_id, now.isoformat()),
        type=AuditType.BELONGS_ELSEWHERE,
        at=now,
        actor=SYSTEM,
        user_id=user_id,
        details={"listed_since": listed_since},
    )
