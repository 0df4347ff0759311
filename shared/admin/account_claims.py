"""Sets the claim of a user's account by all documents of the user, and checks again until it is right."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared.admin.accounts import Account, Accounts
from shared.documents import queries
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.reading import user_from
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore
from shared.firestore.errors import Conflict
from shared.rules.claims import Membership, organization_claim
from shared.rules.refusal import Unusable
from shared.rules.user import User

MAX_CLAIMS_LENGTH = 1000
"""The most characters of an account's custom claims in JSON. Source: Firebase's page on custom claims."""

_ROUNDS = 5
_ORGANIZATION = "org_id"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A document of the user, in one organization."""

    paths: OrganizationPaths
    document: Document
    user: User | Unusable

    @property
    def listing(self) -> Membership:
        return Membership(organization_id=self.paths.organization_id, user=self.user)


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncedClaims:
    """The documents of the user, oldest first, and the account whose claim now matches them.

    ``has_room`` is false when the claims would be too long for the account; it then has none of ours.
    """

    listed: Sequence[Listed]
    account: Account | None
    has_room: bool = True

    @property
    def listings(self) -> list[Membership]:
        return [each.listing for each in self.listed]


class AccountClaims:
    """Sets the claims of accounts."""

    def __init__(self, firestore: Firestore, accounts: Accounts) -> None:
        self._firestore = firestore
        self._accounts = accounts

    async def settle(self, user_id: str) -> SyncedClaims:
        """Set the claim, and read it again until it is right: others may set claims of the account at the same time.

        Firebase replaces all claims at once. So those of others are read immediately before ours is set with them.

        Raises:
            Conflict: other instances kept setting them.
            StoreUnavailable: Firestore did not answer.
            Exception: any error of ``Accounts``.
        """
        for _ in range(_ROUNDS):
            account = await self._accounts.find(user_id)
            present = None if account is None else _present(account)
            listed = await self._listed(user_id, present)
            if account is None:
                return SyncedClaims(listed=listed, account=None)
            wanted = organization_claim([each.listing for each in listed], present=present)
            has_room = len(json.dumps(_merged(account, wanted))) <= MAX_CLAIMS_LENGTH
            if not has_room:
                wanted = None
            if wanted == present:
                return SyncedClaims(listed=listed, account=account, has_room=has_room)
            if present is not None:
                await self._accounts.end_sign_ins(user_id)
            latest = await self._accounts.find(user_id)
            if latest is not None and _present(latest) == present:
                await self._accounts.set_claims(user_id, _merged(latest, wanted))
        message = "other instances kept setting the claims of the same user"
        raise Conflict(message)

    async def _listed(self, user_id: str, present: str | None) -> list[Listed]:
        """Find the documents of a user in all organizations, oldest first.

        It also looks in the organization that the present claim names, because a review record may have been deleted.
        """
        records = await self._firestore.select(ALL_ORGANIZATIONS, queries.reviews_of_user(user_id))
        places = {located.paths for each in records if (located := OrganizationPaths.of(each.path)) is not None}
        if present is not None and can_be_document_id(present):
            places.add(OrganizationPaths(present))
        if not places:
            return []
        snapshot = await self._firestore.read([paths.user(user_id) for paths in places])
        found = [
            Listed(paths=paths, document=document, user=user)
            for paths in places
            if (document := snapshot.documents[paths.user(user_id)]) is not None
            and (user := user_from(document)) is not None
        ]
        return sorted(found, key=_age)


def _age(listed: Listed) -> tuple[int, int, str]:
    created = listed.document.create_time
    return created.seconds, created.nanos, listed.document.path


def _present(account: Account) -> str | None:
    organization_id = account.claims.get(_ORGANIZATION)
    return organization_id if isinstance(organization_id, str) else None


def _merged(account: Account, organization_id: str | None) -> dict[str, object]:
    """All claims of the account: ours, and those that other software has set."""
    others = {name: value for name, value in account.claims.items() if name != _ORGANIZATION}
    return others if organization_id is None else others | {_ORGANIZATION: organization_id}
