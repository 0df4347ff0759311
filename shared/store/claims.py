"""Claims in the store: a user's tokens say what the documents say, and who is no user any more holds no seat.

What the claims should be is found from all documents of the user, in whatever organization, as they are now; then the
account is looked at again. So it does not matter in which order events come, or how often, or how many of them at once:
the last one to write has seen what the others wrote.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from google.api_core.exceptions import RetryError

from shared.rules.audit import AuditType
from shared.rules.claims import Claims, Listing, claims_for, user_problems
from shared.rules.refusal import Unusable
from shared.rules.review import Level, Problem
from shared.rules.user import Role, User
from shared.store import queries
from shared.store.accounts import Account, Accounts
from shared.store.attempts import patiently
from shared.store.documents import user_from
from shared.store.errors import Conflict, StoreUnavailable
from shared.store.firestore import EVERYWHERE, Document, Firestore
from shared.store.forms import UserDocument
from shared.store.paths import OrganizationPaths
from shared.store.policy import Policy
from shared.store.review_record import (
    CREATED_AT,
    PROBLEMS,
    Seen,
    Subject,
    Verdict,
    defaults,
    problem_writes,
    seen,
    settling_writes,
)
from shared.store.rights import Rights
from shared.store.values import Plain
from shared.store.walk import next_page
from shared.store.wording import misfits
from shared.store.writes import Create, Update

logger = logging.getLogger(__name__)

MAX_SESSIONS = 200
"""Sessions of one user ended in one commit at most."""

MAX_CLAIMS_LENGTH = 1000
"""Characters that an account's custom claims may have in JSON. Source: Firebase's page on custom claims."""

_ROUNDS = 5
_ORGANIZATION, _ROLE = "org_id", "role"
_DEFAULTS: Mapping[str, Plain] = {"role": Role.MEMBER.value, "is_active": True}
_WRITTEN_BY_US = (CREATED_AT, "updated_at", PROBLEMS)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listed:
    """A document of the user, in one organization."""

    paths: OrganizationPaths
    document: Document
    user: User | Unusable

    @property
    def listing(self) -> Listing:
        return Listing(organization_id=self.paths.organization_id, user=self.user)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Settled:
    """The documents of the user, longest listed first, and the account whose claims say what they say."""

    listed: Sequence[_Listed]
    account: Account | None
    has_room: bool = True

    @property
    def listings(self) -> list[Listing]:
        return [each.listing for each in self.listed]


class UserClaims:
    """Keeps the claims of the users of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy, accounts: Accounts) -> None:
        """Use the connections for every organization."""
        self._firestore = firestore
        self._policy = policy
        self._accounts = accounts
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
        try:
            await patiently(within=self._policy.answer_within)(attempt)()
        except RetryError as error:
            message = "a user's claims could not be settled in time; asking again is safe"
            raise StoreUnavailable(message) from error

    async def _sync(self, paths: OrganizationPaths, user_id: str) -> None:
        looked_at = await self._look(paths, user_id)
        if looked_at.is_settled:
            return
        if await self._make_findable(looked_at):
            looked_at = await self._look(paths, user_id)
        settled = await self._settle_claims(user_id)
        await self._end_sessions(paths, user_id, looked_at.document)
        # First the other documents, so that a run that is cut off is begun again by the event that comes again.
        for other in settled.listed:
            if other.paths != paths:
                await self._refresh(other.paths, user_id, settled)
        fills: dict[str, Plain] = {}
        problems: list[Problem] = []
        if looked_at.document is not None:
            fills = defaults(_DEFAULTS, looked_at, dated=(CREATED_AT,))
            if settled.account is not None and settled.account.email and "email" not in looked_at.document.fields:
                fills["email"] = settled.account.email
            problems = await self._problems(paths, looked_at.document, settled)
        now = (await self._firestore.now()).now
        verdict = Verdict(fills=fills, problems=problems)
        writes = settling_writes(looked_at, verdict, retention=self._policy.retention, now=now, user_id=user_id)
        await self._firestore.commit(writes)

    async def _look(self, paths: OrganizationPaths, user_id: str) -> Seen:
        subject = Subject(
            paths=paths,
            collection="users",
            document_id=user_id,
            edit=AuditType.USER_EDITED,
            form=UserDocument,
            path=paths.user(user_id),
        )
        snapshot = await self._firestore.read([subject.path, subject.record_path])
        return seen(subject, snapshot.documents)

    async def _make_findable(self, looked_at: Seen) -> bool:
        """See to it that whoever looks for the documents of this user finds this one, before claims are decided on."""
        record, user_id = looked_at.record, looked_at.subject.document_id
        path = looked_at.subject.record_path
        if record is None:
            await self._firestore.commit([Create(path=path, fields={"user_id": user_id})])
        elif record.fields.get("user_id") != user_id:
            named = Update(path=path, fields={"user_id": user_id}, unchanged_since=record.update_time)
            await self._firestore.commit([named])
        else:
            return False
        return True

    async def _listed(self, user_id: str) -> list[_Listed]:
        """Find the documents of a user in all organizations, longest there first."""
        records = await self._firestore.select(EVERYWHERE, queries.reviews_of_user(user_id))
        places = [located.paths for each in records if (located := OrganizationPaths.of(each.path)) is not None]
        if not places:
            return []
        snapshot = await self._firestore.read([paths.user(user_id) for paths in places])
        found = [
            _Listed(paths=paths, document=document, user=user)
            for paths in places
            if (document := snapshot.documents[paths.user(user_id)]) is not None
            and (user := user_from(document)) is not None
        ]
        return sorted(found, key=_age)

    async def _settle_claims(self, user_id: str) -> _Settled:
        """Set the claims, and look again until they are what they should be: others may have been setting them, too."""
        for _ in range(_ROUNDS):
            listed = await self._listed(user_id)
            account = await self._accounts.find(user_id)
            if account is None:
                return _Settled(listed=listed, account=None)
            present = _present(account)
            wanted = claims_for([each.listing for each in listed], present=present)
            merged = _merged(account, wanted)
            has_room = len(json.dumps(merged)) <= MAX_CLAIMS_LENGTH
            if not has_room:
                wanted = Claims()
                merged = _merged(account, wanted)
            if wanted == present:
                return _Settled(listed=listed, account=account, has_room=has_room)
            if present.organization_id is not None and present.organization_id != wanted.organization_id:
                await self._accounts.end_sign_ins(user_id)
            await self._accounts.set_claims(user_id, merged)
        message = "others set the claims of the same user time and again"
        raise Conflict(message)

    async def _end_sessions(self, paths: OrganizationPaths, user_id: str, document: Document | None) -> None:
        """End the sessions of who may hold seats no more. A document that cannot be used ends none."""
        user = user_from(document)
        if isinstance(user, Unusable) or (user is not None and user.is_active and user.may_hold_seats):
            return
        following: queries.Query | None = queries.page_of_sessions(None, user_id=user_id, limit=MAX_SESSIONS)
        while following is not None:
            page = await self._firestore.select(paths.organization, following)
            if page:
                await self._rights.end_where_gone(paths, page)
            following = next_page(following, page)

    async def _refresh(self, paths: OrganizationPaths, user_id: str, settled: _Settled) -> None:
        """Say anew what is wrong with the document of another organization."""
        looked_at = await self._look(paths, user_id)
        if looked_at.document is None:
            return
        writes = problem_writes(looked_at, await self._problems(paths, looked_at.document, settled))
        if writes:
            await self._firestore.commit(writes)

    async def _problems(self, paths: OrganizationPaths, document: Document, settled: _Settled) -> list[Problem]:
        problems = misfits(UserDocument, document.fields, written_by_us=_WRITTEN_BY_US)
        other_id = None
        email = document.fields.get("email")
        if settled.account is None and isinstance(email, str):
            other = await self._accounts.find_by_email(email)
            other_id = None if other is None else other.user_id
        problems += user_problems(
            paths.organization_id, settled.listings, has_account=settled.account is not None, other_id=other_id
        )
        if not settled.has_room:
            problems.append(
                Problem(
                    field="(document id of the organization)",
                    level=Level.ERROR,
                    found="a document id so long that the user's tokens have no room for it",
                    expected="an organization with a shorter document id",
                )
            )
        return problems


def _age(listed: _Listed) -> tuple[int, int, str]:
    created = listed.document.create_time
    return created.seconds, created.nanos, listed.document.path


def _present(account: Account) -> Claims:
    organization_id, role = account.claims.get(_ORGANIZATION), account.claims.get(_ROLE)
    return Claims(
        organization_id=organization_id if isinstance(organization_id, str) else None,
        role=role if isinstance(role, str) else None,
    )


def _merged(account: Account, wanted: Claims) -> dict[str, object]:
    """Put our claims among those that others have set."""
    merged = {name: value for name, value in account.claims.items() if name not in {_ORGANIZATION, _ROLE}}
    ours = {_ORGANIZATION: wanted.organization_id, _ROLE: None if wanted.role is None else str(wanted.role)}
    return merged | {name: value for name, value in ours.items() if value is not None}
