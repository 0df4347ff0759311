"""Invitations: an owner or admin opens one for an address, or takes it back.

The function runs one request at a time, in one instance. So the number of open invitations is exact.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.documents import queries
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import invitation_from, organization_from, user_from
from shared.documents.writing import audit_event_write, invitation_fields
from shared.firestore.client import Document, Firestore
from shared.firestore.group_commit import Answered
from shared.firestore.retry import retry_until
from shared.firestore.writes import Create, Delete, Update, Write
from shared.rules.admission import MAX_INVITATIONS, Invitation, invitation_id_of, normal_address
from shared.rules.audit import EditKind
from shared.rules.invitations import Invited, InviteOutcome, Inviting, Withdrawn, WithdrawOutcome, invite, withdraw
from shared.rules.people_audit import invited
from shared.rules.user import Role

_TOO_LATE = "an invitation could not be written in time; asking again is safe"


@dataclass(frozen=True, kw_only=True, slots=True)
class InviteRequest:
    """A caller's request to invite the person with this address."""

    user_id: str
    email: str
    role: Role
    groups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawRequest:
    """A caller's request to take an invitation back."""

    user_id: str
    invitation_id: str


class Invitations:
    """The invitations of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy

    async def invite(self, organization_id: str, request: InviteRequest) -> Answered[InviteOutcome]:
        """Open an invitation, or renew it. Asking again is safe.

        Raises:
            StoreUnavailable: Until the deadline, Firestore did not answer or other writes came first.
        """
        attempt = partial(self._invite, OrganizationPaths(organization_id), request)
        return await retry_until(attempt, within=self._policy.answer_within, otherwise=_TOO_LATE)

    async def withdraw(self, organization_id: str, request: WithdrawRequest) -> Answered[WithdrawOutcome]:
        """Take an invitation back. Asking again is safe.

        Raises:
            StoreUnavailable: as ``invite``.
        """
        attempt = partial(self._withdraw, OrganizationPaths(organization_id), request)
        return await retry_until(attempt, within=self._policy.answer_within, otherwise=_TOO_LATE)

    async def _invite(self, paths: OrganizationPaths, request: InviteRequest) -> Answered[InviteOutcome]:
        path = paths.invitation(invitation_id_of(request.email))
        snapshot = await self._firestore.read([paths.organization, paths.user(request.user_id), path])
        stored, now = snapshot.documents, snapshot.at.now
        emails = list(dict.fromkeys([request.email, normal_address(request.email)]))
        members = await self._firestore.select(paths.organization, queries.users_with_email(emails), at=snapshot.at)
        are_open = queries.open_invitations(now=now, limit=MAX_INVITATIONS)
        standing = Inviting(
            organization=organization_from(stored[paths.organization]),
            caller=user_from(stored[paths.user(request.user_id)]),
            present=invitation_from(stored[path]),
            is_member=bool(members),
            open_invitations=await self._firestore.count(paths.organization, are_open, at=snapshot.at),
        )
        outcome = invite(standing, email=request.email, role=request.role, groups=request.groups, now=now)
        if isinstance(outcome, Invited):
            edit = EditKind.CHANGED if outcome.is_renewed else EditKind.CREATED
            event = invited(outcome.invitation, edit=edit, actor=request.user_id, now=now)
            written = audit_event_write(event, paths, self._policy.retention)
            await self._firestore.commit([_invitation_write(path, stored[path], outcome.invitation), written])
        return Answered(outcome=outcome, now=now)

    async def _withdraw(self, paths: OrganizationPaths, request: WithdrawRequest) -> Answered[WithdrawOutcome]:
        path = paths.invitation(request.invitation_id)
        snapshot = await self._firestore.read([paths.organization, paths.user(request.user_id), path])
        stored, now = snapshot.documents, snapshot.at.now
        present = stored[path]
        standing = Inviting(
            organization=organization_from(stored[paths.organization]),
            caller=user_from(stored[paths.user(request.user_id)]),
            present=invitation_from(present),
        )
        outcome = withdraw(standing)
        if isinstance(outcome, Withdrawn) and present is not None:
            await self._firestore.commit(self._withdrawal(paths, request, present, outcome.invitation, now=now))
        return Answered(outcome=outcome, now=now)

    def _withdrawal(
        self,
        paths: OrganizationPaths,
        request: WithdrawRequest,
        present: Document,
        invitation: Invitation | None,
        *,
        now: datetime,
    ) -> list[Write]:
        """Delete the document. One that cannot be used let nobody in, so there is nothing to report."""
        gone: list[Write] = [Delete(path=present.path, unchanged_since=present.update_time)]
        if invitation is None:
            return gone
        event = invited(invitation, edit=EditKind.DELETED, actor=request.user_id, now=now)
        return [*gone, audit_event_write(event, paths, self._policy.retention)]


def _invitation_write(path: str, stored: Document | None, invitation: Invitation) -> Create | Update:
    fields = invitation_fields(invitation)
    if stored is None:
        return Create(path=path, fields=fields)
    return Update(path=path, fields=fields, unchanged_since=stored.update_time)
