"""Keeps the claims of users' tokens as the documents say, and ends the sessions of users who may hold no seat.

The claims follow from all documents of the user in all organizations, as they are now. After each change the account
is read again. So events may come in any order, repeatedly or at the same time: the last run to write has seen the
writes of the others.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial

from shared.admin.account_claims import AccountClaims, SyncedClaims
from shared.admin.accounts import Accounts
from shared.admin.form_problems import form_problems
from shared.admin.review_record import (
    BOOKKEEPING,
    CREATED_AT,
    PROBLEMS,
    ReviewResult,
    ReviewState,
    ReviewTarget,
    defaults,
    listed,
    problem_writes,
    review_writes,
    seen,
)
from shared.documents import queries
from shared.documents.forms import UserDocument
from shared.documents.organizations import next_page
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import user_from
from shared.documents.writing import audit_event_write, document_write
from shared.firestore.client import Document, Firestore
from shared.firestore.query import Query
from shared.firestore.retry import retry_until
from shared.firestore.values import Plain, decode_time
from shared.firestore.writes import Write
from shared.rules.audit import AuditType
from shared.rules.claims import (
    DOCUMENT_ID,
    OtherAccount,
    email_not_verified,
    in_another_organization,
    user_problems,
)
from shared.rules.people_audit import belongs_elsewhere
from shared.rules.refusal import Unusable
from shared.rules.review import Problem, without_owner
from shared.rules.user import Role, User
from shared.seats.endings import Rights

logger = logging.getLogger(__name__)

MAX_SESSIONS = 200
"""The most sessions of one user that one commit ends."""

_DEFAULTS: Mapping[str, Plain] = {"role": Role.MEMBER.value, "is_active": True}


class UserClaims:
    """Keeps the claims of the users of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy, accounts: Accounts) -> None:
        self._firestore = firestore
        self._policy = policy
        self._accounts = accounts
        self._account_claims = AccountClaims(firestore, accounts)
        self._rights = Rights(firestore, policy)

    async def sync(self, path: str) -> None:
        """Set the claims of the user at this path as the documents say. A retry is safe.

        A path that is not a user's is logged and ignored.

        Raises:
            StoreUnavailable: Until the deadline, Firestore did not answer or other writes came first.
            Exception: any error of ``Accounts``. After either error a retry goes on where this call stopped.
        """
        located = OrganizationPaths.of(path)
        if located is None or located.collection != "users":
            logger.error("an event for a document that is not a user; it is ignored", extra={"document": path})
            return
        attempt = partial(self._sync, located.paths, located.document_id)
        message = "a user's claims could not be set in time; asking again is safe"
        await retry_until(attempt, within=self._policy.answer_within, otherwise=message)

    async def _sync(self, paths: OrganizationPaths, user_id: str) -> None:
        looked_at = await self._look(paths, user_id)
        document = looked_at.document
        # A deleted user may have no record either: an admin who deletes an organization in the console deletes both.
        if document is not None and looked_at.is_settled:
            return
        if document is not None and await self._make_findable(looked_at):
            looked_at = await self._look(paths, user_id)
        settled = await self._account_claims.settle(user_id)
        await self._end_sessions(paths, user_id, looked_at.document)
        # The other documents first. If the run is cut off, the platform delivers the event again and it starts over.
        for other in settled.listed:
            if other.paths != paths:
                await self._refresh(other.paths, user_id, settled)
        if looked_at.is_settled:
            return
        fills: dict[str, Plain] = {}
        problems: list[Problem] = []
        if looked_at.document is not None:
            fills = defaults(_DEFAULTS, looked_at, dated=(CREATED_AT,))
            email = None if settled.account is None else settled.account.verified_email
            if email is not None and "email" not in looked_at.document.fields:
                fills["email"] = email
            user = user_from(looked_at.document)
            if isinstance(user, User) and looked_at.document.fields.get("role") != user.role:
                fills["role"] = user.role.value  # as the security rules read it: they compare letter by letter
            if isinstance(user, User) and user.groups != tuple(looked_at.document.fields.get("groups", ())):
                fills["groups"] = [*user.groups]  # as queries look for them
            problems = await self._problems(looked_at, looked_at.document, settled)
        now = (await self._firestore.now()).now
        verdict = ReviewResult(fills=fills, problems=problems)
        kept: dict[str, Plain] = {"user_id": user_id, "awaits_account": _awaits_account(settled, problems)}
        writes = review_writes(looked_at, verdict, retention=self._policy.retention, now=now, **kept)
        await self._firestore.commit([*writes, *await self._told_of_another(looked_at, problems)])

    async def _look(self, paths: OrganizationPaths, user_id: str) -> ReviewState:
        subject = ReviewTarget(
            paths=paths,
            collection="users",
            document_id=user_id,
            edit=AuditType.USER_EDITED,
            form=UserDocument,
            path=paths.user(user_id),
        )
        snapshot = await self._firestore.read([subject.path, subject.record_path])
        return seen(subject, snapshot.documents)

    async def _make_findable(self, looked_at: ReviewState) -> bool:
        """Write the user's id into the record, so that every search for documents of this user finds this one.

        It happens before the claims are decided. Says whether it wrote.
        """
        subject = looked_at.subject
        named = document_write(subject.record_path, looked_at.record, {"user_id": subject.document_id})
        if named is not None:
            await self._firestore.commit([named])
        return named is not None

    async def _end_sessions(self, paths: OrganizationPaths, user_id: str, document: Document | None) -> None:
        """End the user's sessions if the user may hold no seat. A document that cannot be used ends none."""
        user = user_from(document)
        if isinstance(user, Unusable) or (user is not None and user.is_active and user.role is not Role.GUEST):
            return
        following: Query | None = queries.page_of_sessions(None, user_id=user_id, limit=MAX_SESSIONS)
        while following is not None:
            page = await self._firestore.select(paths.organization, following)
            if page:
                await self._rights.end_revoked(paths, page)
            following = next_page(following, page)

    async def _refresh(self, paths: OrganizationPaths, user_id: str, settled: SyncedClaims) -> None:
        """Write the problems of the user's document in another organization anew."""
        looked_at = await self._look(paths, user_id)
        if looked_at.document is None:
            return
        problems = await self._problems(looked_at, looked_at.document, settled)
        writes = problem_writes(looked_at, problems)
        if writes:
            await self._firestore.commit([*writes, *await self._told_of_another(looked_at, problems)])

    async def _told_of_another(self, looked_at: ReviewState, problems: Sequence[Problem]) -> list[Write]:
        """Report that the user belongs to another organization, with the problem that says so for the first time."""
        if looked_at.document is None or in_another_organization() not in problems:
            return []
        told = None if looked_at.record is None else looked_at.record.fields.get(PROBLEMS)
        if isinstance(told, list) and listed([in_another_organization()])[0] in told:
            return []
        now, since = (await self._firestore.now()).now, decode_time(looked_at.document.create_time)
        event = belongs_elsewhere(looked_at.subject.document_id, listed_since=since, now=now)
        return [audit_event_write(event, looked_at.subject.paths, self._policy.retention)]

    async def _problems(self, looked_at: ReviewState, document: Document, settled: SyncedClaims) -> list[Problem]:
        paths, user = looked_at.subject.paths, user_from(document)
        problems = form_problems(UserDocument, document.fields, written_by_us=BOOKKEEPING)
        account = settled.account
        # An address in place of the User UID is a slip that is easily made. It may stand in the field too.
        addresses = [document.document_id, document.fields.get("email")] if account is None else []
        found = [await self._accounts.find_by_email(each) for each in addresses if isinstance(each, str)]
        other = next(filter(None, found), None)
        problems += user_problems(
            paths.organization_id,
            settled.listings,
            has_account=account is not None,
            has_room=settled.has_room,
            other=None
            if other is None
            else OtherAccount(user_id=other.user_id, is_verified=other.verified_email is not None),
        )
        if account is not None and account.email and not account.verified_email and "email" not in document.fields:
            problems.append(email_not_verified())
        if isinstance(user, User) and _is_owner_no_more(looked_at, user) and not await self._has_owner(paths):
            problems.append(without_owner(user))
        return problems

    async def _has_owner(self, paths: OrganizationPaths) -> bool:
        """Whether the organization has an active owner."""
        found = await self._firestore.select(paths.organization, queries.owners())
        return any(isinstance(user := user_from(each), User) and user.is_active for each in found)


def _awaits_account(settled: SyncedClaims, problems: Sequence[Problem]) -> bool:
    return settled.account is None and any(each.field == DOCUMENT_ID for each in problems)


def _is_owner_no_more(looked_at: ReviewState, user: User) -> bool:
    """Whether the user was an owner when last seen, or is a deactivated one."""
    was_owner = (looked_at.before or {}).get("role") == f'"{Role.OWNER}"'
    return (was_owner or user.role is Role.OWNER) and not (user.is_active and user.role is Role.OWNER)
