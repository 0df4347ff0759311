"""Claims in the store: a user's tokens say what the documents say, and who is no user any more holds no seat.

What the claims should be is found from all documents of the user, in whatever organization, as they are now; then the
account is looked at again. So it does not matter in which order events come, or how often, or how many of them at once:
the last one to write has seen what the others wrote.
"""

import logging
from collections.abc import Mapping
from functools import partial

from shared.admin.account_claims import AccountClaims, SyncedClaims
from shared.admin.accounts import Accounts
from shared.admin.form_problems import form_problems
from shared.admin.review_record import (
    BOOKKEEPING,
    CREATED_AT,
    ReviewResult,
    ReviewState,
    ReviewTarget,
    defaults,
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
from shared.documents.writing import document_write
from shared.firestore.client import Document, Firestore
from shared.firestore.query import Query
from shared.firestore.retry import retry_until
from shared.firestore.values import Plain
from shared.rules.audit import AuditType
from shared.rules.claims import user_problems
from shared.rules.refusal import Unusable
from shared.rules.review import Problem
from shared.rules.user import Role
from shared.seats.endings import Rights

logger = logging.getLogger(__name__)

MAX_SESSIONS = 200
"""Sessions of one user ended in one commit at most."""

_DEFAULTS: Mapping[str, Plain] = {"role": Role.MEMBER.value, "is_active": True}


class UserClaims:
    """Keeps the claims of the users of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy, accounts: Accounts) -> None:
        """Use the connections for every organization."""
        self._firestore = firestore
        self._policy = policy
        self._accounts = accounts
        self._account_claims = AccountClaims(firestore, accounts)
        self._rights = Rights(firestore, policy)

    async def sync(self, path: str) -> None:
        """Make the claims of the user at this path what the documents say. Asking again is safe.

        A path that leads to no user is logged and done with.

        Raises:
            StoreUnavailable: Firestore did not answer, or others were faster, until the deadline.
            Exception: what the accounts raise. In each case what was done is done, and asking again goes on.
        """
        located = OrganizationPaths.of(path)
        if located is None or located.collection != "users":
            logger.error("not a user", extra={"document": path})
            return
        attempt = partial(self._sync, located.paths, located.document_id)
        message = "a user's claims could not be settled in time; asking again is safe"
        await retry_until(attempt, within=self._policy.answer_within, otherwise=message)

    async def _sync(self, paths: OrganizationPaths, user_id: str) -> None:
        looked_at = await self._look(paths, user_id)
        document = looked_at.document
        # Of a user who is gone there may be no record either: who deletes an organization in the console deletes both.
        if document is not None and looked_at.is_settled:
            return
        if document is not None and await self._make_findable(looked_at):
            looked_at = await self._look(paths, user_id)
        settled = await self._account_claims.settle(user_id)
        await self._end_sessions(paths, user_id, looked_at.document)
        # First the other documents, so that a run that is cut off is begun again by the event that comes again.
        for other in settled.listed:
            if other.paths != paths:
                await self._refresh(other.paths, user_id, settled)
        if looked_at.is_settled:
            return
        fills: dict[str, Plain] = {}
        problems: list[Problem] = []
        if looked_at.document is not None:
            fills = defaults(_DEFAULTS, looked_at, dated=(CREATED_AT,))
            if settled.account is not None and settled.account.email and "email" not in looked_at.document.fields:
                fills["email"] = settled.account.email
            problems = await self._problems(paths, looked_at.document, settled)
        now = (await self._firestore.now()).now
        verdict = ReviewResult(fills=fills, problems=problems)
        writes = review_writes(looked_at, verdict, retention=self._policy.retention, now=now, user_id=user_id)
        await self._firestore.commit(writes)

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
        """See to it that whoever looks for the documents of this user finds this one, before claims are decided on."""
        subject = looked_at.subject
        named = document_write(subject.record_path, looked_at.record, {"user_id": subject.document_id})
        if named is not None:
            await self._firestore.commit([named])
        return named is not None

    async def _end_sessions(self, paths: OrganizationPaths, user_id: str, document: Document | None) -> None:
        """End the sessions of who may hold seats no more. A document that cannot be used ends none."""
        user = user_from(document)
        if isinstance(user, Unusable) or (user is not None and user.is_active and user.may_hold_seats):
            return
        following: Query | None = queries.page_of_sessions(None, user_id=user_id, limit=MAX_SESSIONS)
        while following is not None:
            page = await self._firestore.select(paths.organization, following)
            if page:
                await self._rights.end_revoked(paths, page)
            following = next_page(following, page)

    async def _refresh(self, paths: OrganizationPaths, user_id: str, settled: SyncedClaims) -> None:
        """Say anew what is wrong with the document of another organization."""
        looked_at = await self._look(paths, user_id)
        if looked_at.document is None:
            return
        writes = problem_writes(looked_at, await self._problems(paths, looked_at.document, settled))
        if writes:
            await self._firestore.commit(writes)

    async def _problems(self, paths: OrganizationPaths, document: Document, settled: SyncedClaims) -> list[Problem]:
        problems = form_problems(UserDocument, document.fields, written_by_us=BOOKKEEPING)
        other_id = None
        email = document.fields.get("email")
        if settled.account is None and isinstance(email, str):
            other = await self._accounts.find_by_email(email)
            other_id = None if other is None else other.user_id
        problems += user_problems(
            paths.organization_id,
            settled.listings,
            has_account=settled.account is not None,
            has_room=settled.has_room,
            other_id=other_id,
        )
        return problems
