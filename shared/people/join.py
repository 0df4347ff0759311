"""Join: a person with an account becomes a user of an organization.

The person's token names no organization, so this is the one operation of clients that searches all organizations. It
searches for what the verified token says about the person, and makes the same searches whatever they find.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from shared.documents import queries
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.policy import Policy
from shared.documents.reading import invitation_from, organization_from, user_from
from shared.documents.writing import audit_event_write, reported_write, user_fields
from shared.firestore.client import ALL_ORGANIZATIONS, CLOCK_DOCUMENT, Document, Firestore, Snapshot
from shared.firestore.group_commit import Answered
from shared.firestore.query import Query
from shared.firestore.retry import retry_until
from shared.firestore.writes import Create, Delete, Write
from shared.rules.admission import Joined, invitation_id_of, normal_address
from shared.rules.claims import Membership, active_membership
from shared.rules.domains import domain_of
from shared.rules.join import JoinOutcome, Place, join
from shared.rules.people_audit import joined
from shared.rules.person import SignedIn
from shared.rules.user import User

MAX_INVITED = 20
"""The most invitations of one address that are looked at, over all organizations."""

MAX_LISTED = 100
"""The most users with one address that are looked at, over all organizations."""

_NOTHING = "-"
"""Is searched for in place of what a token does not say. No organization has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """Where to look: the organizations that may let the person in, and those that may list them.

    ``inviters`` are the documents of the users who sent the invitations. ``deactivated`` are the organizations that
    have deactivated a user with the person's address.
    """

    inviting: Collection[OrganizationPaths]
    inviters: Sequence[str]
    deactivated: Collection[OrganizationPaths]
    by_domain: Sequence[OrganizationPaths]
    by_provider: Sequence[OrganizationPaths]
    listing: Collection[OrganizationPaths]


class Joins:
    """Lets people into the organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy

    async def join(self, person: SignedIn, *, asked: str | None) -> Answered[JoinOutcome]:
        """Make the person a user of the organization that is ``asked`` for, or of the one that is open to them.

        Asking again is safe.

        Raises:
            StoreUnavailable: Until the deadline, Firestore did not answer or other writes came first.
        """
        message = "a person could not join in time; asking again is safe"
        within: timedelta = self._policy.answer_within
        return await retry_until(partial(self._join, person, asked), within=within, otherwise=message)

    async def _join(self, person: SignedIn, asked: str | None) -> Answered[JoinOutcome]:
        address = person.proven_address or _NOTHING
        domain = domain_of(address) or _NOTHING
        found = await self._find(person, address, domain)
        wanted = {*found.inviting, *found.by_domain, *found.by_provider, *found.listing}
        snapshot = await self._read(person, address, wanted, found.inviters)
        alone = {  # a domain or provider of two organizations lets nobody into any
            "domain": {*found.by_domain} if len(found.by_domain) == 1 else set(),
            "provider": {*found.by_provider} if len(found.by_provider) == 1 else set(),
        }
        places = [
            _place(
                paths,
                person,
                address,
                snapshot,
                is_deactivated=paths in found.deactivated,
                domains={domain} if paths in alone["domain"] else (),
                providers={person.provider} if paths in alone["provider"] else (),
            )
            for paths in sorted(wanted, key=lambda paths: paths.organization_id)
        ]
        present = active_membership(_listings(person, wanted, snapshot))
        belongs_to = None if present is None else present.organization_id
        outcome = join(person, asked=asked, places=places, belongs_to=belongs_to, now=snapshot.at.now)
        if isinstance(outcome, Joined):
            (paths,) = (each for each in wanted if each.organization_id == outcome.organization.organization_id)
            await self._firestore.commit(self._writes(paths, outcome, snapshot))
        return Answered(outcome=outcome, now=snapshot.at.now)

    async def _find(self, person: SignedIn, address: str, domain: str) -> _Found:
        """Search by address, domain, provider and user id, all at once.

        The users with the address are searched for even if it is not proven: they can only keep the person out.
        """
        told = normal_address(person.email) if person.email else _NOTHING
        looks: Sequence[Query] = (
            queries.invitations_everywhere(address, limit=MAX_INVITED),
            queries.organizations_with_domain(domain),
            queries.organizations_with_provider(person.provider or _NOTHING),
            queries.reviews_of_user(person.user_id),
            queries.users_with_email_everywhere([told], limit=MAX_LISTED),
        )
        answers = await asyncio.gather(*(self._firestore.select(ALL_ORGANIZATIONS, each) for each in looks))
        invitations, users = answers[0], answers[-1]
        inviting, by_domain, by_provider, listing = (_organizations(documents) for documents in answers[:-1])
        return _Found(
            inviting=inviting,
            inviters=[path for each in invitations if (path := _inviter(each)) is not None],
            deactivated=_organizations([each for each in users if not _is_active(each)]),
            by_domain=by_domain,
            by_provider=by_provider,
            listing=listing,
        )

    async def _read(
        self, person: SignedIn, address: str, wanted: Collection[OrganizationPaths], inviters: Sequence[str]
    ) -> Snapshot:
        """Read what these organizations hold about the person, all of one instant."""
        asked = [CLOCK_DOCUMENT, *inviters]  # the first for the time, if there is no organization
        for paths in wanted:
            asked += [paths.organization, paths.user(person.user_id), paths.invitation(invitation_id_of(address))]
            asked.append(paths.review("users", person.user_id))
        return await self._firestore.read(asked)

    def _writes(self, paths: OrganizationPaths, way: Joined, snapshot: Snapshot) -> list[Write]:
        now, user = snapshot.at.now, way.user
        fields = user_fields(user, now=now)
        record_path = paths.review("users", user.user_id)
        record = reported_write(record_path, snapshot.documents[record_path], user.user_id, fields)
        event = audit_event_write(joined(way, now=now), paths, self._policy.retention)
        writes: list[Write] = [Create(path=paths.user(user.user_id), fields=fields), event]
        if record is not None:
            writes.append(record)
        if way.invitation is not None:
            used = snapshot.documents[paths.invitation(way.invitation.invitation_id)]
            assert used is not None  # noqa: S101 the invitation was read from it; for the type checker
            writes.append(Delete(path=used.path, unchanged_since=used.update_time))
        return writes


def _inviter(invitation: Document) -> str | None:
    """The path of the user who sent an invitation; ``None`` if that is nobody, or an edit by hand broke it."""
    located, sender = OrganizationPaths.of(invitation.path), invitation.fields.get("invited_by")
    if located is None or not isinstance(sender, str) or not can_be_document_id(sender):
        return None
    return located.paths.user(sender)


def _is_active(document: Document) -> bool:
    user = user_from(document)
    return isinstance(user, User) and user.is_active


def _organizations(documents: Sequence[Document]) -> list[OrganizationPaths]:
    """The organizations of these documents, each once."""
    found: dict[OrganizationPaths, None] = {}
    for document in documents:
        located = OrganizationPaths.of(document.path)
        paths = OrganizationPaths.of_organization(document.path) if located is None else located.paths
        if paths is not None:
            found[paths] = None
    return list(found)


def _place(  # noqa: PLR0913 each is named at the call
    paths: OrganizationPaths,
    person: SignedIn,
    address: str,
    snapshot: Snapshot,
    *,
    is_deactivated: bool,
    domains: Collection[str],
    providers: Collection[str],
) -> Place:
    stored = snapshot.documents
    invited = stored[paths.invitation(invitation_id_of(address))]
    inviter = None if invited is None else _inviter(invited)
    return Place(
        organization_id=paths.organization_id,
        organization=organization_from(stored[paths.organization]),
        user=user_from(stored[paths.user(person.user_id)]),
        invitation=invitation_from(invited),
        # An invitation that was renewed since the search may have another sender. The person asks again then.
        inviter=None if inviter is None else user_from(stored.get(inviter)),
        is_deactivated=is_deactivated,
        domains=domains,
        providers=providers,
    )


def _listings(person: SignedIn, wanted: Collection[OrganizationPaths], snapshot: Snapshot) -> list[Membership]:
    """The organizations that list the person, oldest document first."""
    found = [
        (document, paths)
        for paths in wanted
        if (document := snapshot.documents[paths.user(person.user_id)]) is not None
    ]
    ordered = sorted(found, key=lambda each: (each[0].create_time.seconds, each[0].create_time.nanos, each[0].path))
    return [
        Membership(organization_id=paths.organization_id, user=user)
        for document, paths in ordered
        if (user := user_from(document)) is not None
    ]
