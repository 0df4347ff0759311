"""Reviews documents that an admin edited: fills in missing fields, writes the problems, and reports the edit.

The event only names the document. Its present state is compared with the state last seen. So an event that comes twice,
late, or because of our own write finds nothing new and costs one read.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

from shared.admin.deleted_sessions import Removals
from shared.admin.form_problems import form_problems
from shared.admin.license_review import LicenseReviews, counted
from shared.admin.review_record import (
    BOOKKEEPING,
    CREATED_AT,
    PROBLEMS,
    UPDATED_AT,
    ReviewResult,
    ReviewState,
    ReviewTarget,
    defaults,
    review_writes,
    seen,
)
from shared.documents import queries
from shared.documents.forms import OrganizationDocument
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import organization_from
from shared.documents.writing import seat_use_fields
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore, ReadTime, Snapshot
from shared.firestore.errors import Conflict
from shared.firestore.query import Query
from shared.firestore.retry import retry_until
from shared.firestore.values import Plain
from shared.firestore.writes import Create, Update
from shared.rules.audit import AuditType
from shared.rules.domains import normal_domain
from shared.rules.organization import Organization, is_provider_id, is_slug, slug_of
from shared.rules.review import (
    Problem,
    domain_problems,
    organization_problems,
    provider_problems,
    slug_problems,
)
from shared.seats.counters import recount
from shared.seats.license_keys import new_license_key

logger = logging.getLogger(__name__)

_CAP = "max_concurrent_seats"
_ORGANIZATION_DEFAULTS: Mapping[str, Plain] = {
    name: OrganizationDocument.model_fields[name].default
    for name in ("name", "slug", "subscription_tier", _CAP, "is_active")
}


class Reviews:
    """Reviews the documents of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy
        self._licenses = LicenseReviews(firestore, policy)
        self._removals = Removals(firestore, policy)

    async def review(self, path: str) -> None:
        """Review the organization, the license or the deleted session at this path. A retry is safe.

        Any other path is logged and ignored.

        Raises:
            StoreUnavailable: Until the deadline, Firestore did not answer or other writes came first. Each commit was
                written as a whole or not at all.
        """
        if (paths := OrganizationPaths.of_organization(path)) is not None:
            await self._patiently(partial(self._review_organization, paths))
            return
        located = OrganizationPaths.of(path)
        if located is not None and located.collection == "licenses":
            await self._patiently(partial(self._licenses.review, located.paths, located.document_id, new_license_key()))
        elif located is not None and located.collection == "sessions":
            await self._patiently(partial(self._removals.tell, located.paths, located.document_id))
        else:
            logger.error("an event for a document that is not reviewed; it is ignored", extra={"document": path})

    async def _patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        message = "a document could not be reviewed in time; asking again is safe"
        await retry_until(attempt, within=self._policy.answer_within, otherwise=message)

    async def _review_organization(self, paths: OrganizationPaths) -> None:
        subject = _organization(paths)
        snapshot = await self._firestore.read([subject.path, subject.record_path, paths.seats])
        looked_at = seen(subject, snapshot.documents)
        if looked_at.is_settled:
            return
        # The licenses first. If the run is cut off, the platform delivers the event again and the review starts over.
        if _is_changed(looked_at, _CAP):
            await self._licenses.refresh_all(paths)
        document = looked_at.document
        problems: list[Problem] = []
        fills = defaults(_ORGANIZATION_DEFAULTS, looked_at, dated=(CREATED_AT, UPDATED_AT))
        is_cap_filled_in = _is_cap_filled_in(looked_at, fills)
        if document is not None:
            problems += form_problems(OrganizationDocument, document.fields, written_by_us=BOOKKEEPING)
            organization = organization_from(document)
            if isinstance(organization, Organization):
                use = counted(snapshot.documents[paths.seats])
                problems += organization_problems(organization, use=use, is_cap_filled_in=is_cap_filled_in)
                problems += await self._ways_in(organization, paths, at=snapshot.at)
                fills.update(_normal_ways_in(organization, document))
            slug, name = document.fields.get("slug"), document.fields.get("name")
            if isinstance(slug, str):
                problems += slug_problems(slug, is_taken=await self._is_taken(slug, paths, at=snapshot.at))
            elif "slug" in fills and isinstance(name, str) and (made := slug_of(name)) is not None:
                fills["slug"] = None if await self._is_taken(made, paths, at=snapshot.at) else made
        verdict = ReviewResult(fills=fills, problems=problems)
        retention, now = self._policy.retention, snapshot.at.now
        writes = review_writes(looked_at, verdict, retention=retention, now=now, cap_filled_in=is_cap_filled_in)
        await self._firestore.commit([*writes, *await self._first_counters(paths, snapshot)])
        filled_in = fills.get("slug")
        if isinstance(filled_in, str):
            await self._look_again_if_taken(filled_in, paths)

    async def _look_again_if_taken(self, slug: str, paths: OrganizationPaths) -> None:
        """Empty the problems if another organization got the slug at the same moment, so that its function looks again.

        Of the two commits at least the later one is followed by a look that finds both.
        """
        at = await self._firestore.now()
        if not await self._is_taken(slug, paths, at=at):
            return
        document = (await self._firestore.read([paths.organization], at=at)).documents[paths.organization]
        if document is not None:
            touch = Update(path=document.path, fields={PROBLEMS: None}, unchanged_since=document.update_time)
            with suppress(Conflict):  # an admin edited it, so its function is called
                await self._firestore.commit([touch])

    async def _ways_in(self, organization: Organization, paths: OrganizationPaths, *, at: ReadTime) -> list[Problem]:
        """The problems of the domains and providers whose people may join."""
        domains = [*filter(None, map(normal_domain, organization.email_domains))]
        providers = [each.strip() for each in organization.sso_providers if is_provider_id(each.strip())]
        looks = [
            *((domain, queries.organizations_with_domain(domain)) for domain in domains),
            *((provider, queries.organizations_with_provider(provider)) for provider in providers),
        ]
        taken = {text for text, query in looks if await self._has_another(query, paths, at=at)}
        return [
            *domain_problems(organization.email_domains, taken=taken),
            *provider_problems([each.strip() for each in organization.sso_providers], taken=taken),
        ]

    async def _has_another(self, query: Query, paths: OrganizationPaths, *, at: ReadTime) -> bool:
        """Whether a query over all organizations finds another one."""
        found = await self._firestore.select(ALL_ORGANIZATIONS, query, at=at)
        others = (OrganizationPaths.of_organization(each.path) for each in found)
        return any(other is not None and other != paths for other in others)

    async def _is_taken(self, slug: str, paths: OrganizationPaths, *, at: ReadTime) -> bool:
        """Whether another organization has this slug."""
        return is_slug(slug) and await self._has_another(queries.organizations_with_slug(slug), paths, at=at)

    async def _first_counters(self, paths: OrganizationPaths, snapshot: Snapshot) -> list[Create]:
        """The counters of an organization that has none and no seat in use, so that its first acquire counts nothing.

        Counters that are missing although seats are in use are repaired by acquire and reconcile, which report it.
        """
        if snapshot.documents[paths.organization] is None or snapshot.documents[paths.seats] is not None:
            return []
        use = await recount(self._firestore, paths, before=None, at=snapshot.at)
        if use.by_license:
            return []
        return [Create(path=paths.seats, fields=seat_use_fields(use, now=snapshot.at.now))]


def _organization(paths: OrganizationPaths) -> ReviewTarget:
    return ReviewTarget(
        paths=paths,
        collection="organizations",
        document_id=paths.organization_id,
        edit=AuditType.ORGANIZATION_EDITED,
        form=OrganizationDocument,
        path=paths.organization,
    )


def _normal_ways_in(organization: Organization, document: Document) -> dict[str, Plain]:
    """Domains and providers in the form in which queries look for them, where an admin wrote another one."""
    normal: dict[str, Plain] = {
        "email_domains": [normal_domain(each) or each for each in organization.email_domains],
        "sso_providers": [each.strip() for each in organization.sso_providers],
    }
    return {name: value for name, value in normal.items() if name in document.fields and document.fields[name] != value}


def _is_cap_filled_in(looked_at: ReviewState, fills: Mapping[str, Plain]) -> bool:
    """Whether the cap is the default, because the admin left it out and has not changed it since."""
    was_filled_in = looked_at.record is not None and looked_at.record.fields.get("cap_filled_in") is True
    return _CAP in fills or (was_filled_in and not _is_changed(looked_at, _CAP))


def _is_changed(looked_at: ReviewState, name: str) -> bool:
    after = {} if looked_at.document is None else looked_at.told(looked_at.document.fields)
    return (looked_at.before or {}).get(name) != after.get(name)
