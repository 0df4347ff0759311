"""Review: look at a document that an admin edited, put what is missing, say what is wrong, and tell of the edit.

The event only says where to look. What is there now is compared with what was last seen, so an event that comes twice,
late or because of our own write finds nothing new and costs one read.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from google.api_core.exceptions import RetryError

from shared.rules.audit import AuditType
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.review import Problem, license_problems, organization_problems
from shared.rules.seat_use import SeatUse
from shared.store import queries
from shared.store.attempts import patiently
from shared.store.documents import license_from, organization_from, seat_use_from
from shared.store.errors import StoreUnavailable
from shared.store.firestore import Document, Firestore, Instant
from shared.store.forms import MAX_KEY_LENGTH, LicenseDocument, OrganizationDocument
from shared.store.license_keys import new_license_key
from shared.store.paths import OrganizationPaths
from shared.store.policy import Policy
from shared.store.removal import Removals
from shared.store.review_record import (
    CREATED_AT,
    PROBLEMS,
    UPDATED_AT,
    Seen,
    Subject,
    Verdict,
    defaults,
    problem_writes,
    seen,
    settling_writes,
)
from shared.store.values import Plain
from shared.store.wording import misfits

logger = logging.getLogger(__name__)

MAX_SHARING = 20
"""Licenses with one key that are told of each other at most."""

AT_ONCE = 16
"""Licenses looked at together when their organization's cap has changed."""

_ORGANIZATION_DEFAULTS: Mapping[str, Plain] = {
    name: OrganizationDocument.model_fields[name].default
    for name in ("name", "slug", "subscription_tier", "max_concurrent_seats", "is_active")
}
_LICENSE_DEFAULTS: Mapping[str, Plain] = {
    name: LicenseDocument.model_fields[name].default
    for name in ("name", "max_concurrent_seats", "expires_at", "is_active")
}
_WRITTEN_BY_US = (CREATED_AT, UPDATED_AT, PROBLEMS)
_NOTES = (*_WRITTEN_BY_US, "created_by")


class Reviews:
    """The reviews of one function instance."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        """Use the connection for every organization."""
        self._firestore = firestore
        self._policy = policy
        self._removals = Removals(firestore, policy)

    async def review(self, path: str) -> None:
        """Look at the organization, the license or the deleted session at this path. Asking again is safe.

        A path that leads to none of them is logged and done with.

        Raises:
            StoreUnavailable: Firestore did not answer, or others were faster, until the deadline. Whatever was written
                was written whole.
        """
        if (paths := OrganizationPaths.of_organization(path)) is not None:
            await self._patiently(partial(self._review_organization, paths))
            return
        located = OrganizationPaths.of(path)
        if located is not None and located.collection == "licenses":
            await self._patiently(partial(self._review_license, located.paths, located.document_id, new_license_key()))
        elif located is not None and located.collection == "sessions":
            await self._patiently(partial(self._removals.tell, located.paths, located.document_id))
        else:
            logger.error("not a document that is reviewed", extra={"document": path})

    async def _patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        try:
            await patiently(within=self._policy.answer_within)(attempt)()
        except RetryError as error:
            message = "a document could not be reviewed in time; asking again is safe"
            raise StoreUnavailable(message) from error

    async def _review_organization(self, paths: OrganizationPaths) -> None:
        subject = _organization(paths)
        snapshot = await self._firestore.read([subject.path, subject.record_path, paths.seats])
        looked_at = seen(subject, snapshot.documents)
        if looked_at.is_settled:
            return
        # First the licenses, so that a run that is cut off is begun again by the event that comes again.
        if _is_changed(looked_at, "max_concurrent_seats"):
            await self._refresh_licenses(paths)
        document = looked_at.document
        problems: list[Problem] = []
        fills = defaults(_ORGANIZATION_DEFAULTS, looked_at, dated=(CREATED_AT, UPDATED_AT))
        if document is not None:
            problems += misfits(OrganizationDocument, document.fields, written_by_us=_WRITTEN_BY_US)
            organization = organization_from(document)
            if isinstance(organization, Organization):
                problems += organization_problems(organization, use=_use(snapshot.documents[paths.seats]))
        await self._settle(looked_at, Verdict(fills=fills, problems=problems), at=snapshot.at)

    async def _review_license(self, paths: OrganizationPaths, license_id: str, new_key: str) -> None:
        subject = _license(paths, license_id)
        snapshot = await self._firestore.read([subject.path, subject.record_path, paths.organization, paths.seats])
        looked_at = seen(subject, snapshot.documents)
        if looked_at.is_settled:
            return
        document = looked_at.document
        key, old_key = _key_of(document), looked_at.was.get("license_key")
        sharing = await self._sharing(paths, license_id, key, at=snapshot.at)
        others = [each.document_id for each in sharing]
        if old_key != key and isinstance(old_key, str):
            others += [each.document_id for each in await self._sharing(paths, license_id, old_key, at=snapshot.at)]
        # The others first, as above.
        await asyncio.gather(*(self._refresh_license(paths, other) for other in dict.fromkeys(others)))
        fills = defaults(_LICENSE_DEFAULTS, looked_at, dated=(CREATED_AT, UPDATED_AT))
        if document is not None and _key_is_left_out(document):
            fills = {"license_key": new_key, **fills}
        problems = [] if document is None else self._problems(document, snapshot.documents, paths, sharing, fills)
        await self._settle(looked_at, Verdict(fills=fills, problems=problems), at=snapshot.at)

    async def _refresh_licenses(self, paths: OrganizationPaths) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(license_id: str) -> None:
            async with room:
                await self._refresh_license(paths, license_id)

        licenses = await self._firestore.select(paths.organization, queries.all_licenses())
        await asyncio.gather(*(one(each.document_id) for each in licenses))

    async def _refresh_license(self, paths: OrganizationPaths, license_id: str) -> None:
        """Say anew what is wrong with a license, because something beside it has changed."""
        subject = _license(paths, license_id)
        snapshot = await self._firestore.read([subject.path, subject.record_path, paths.organization, paths.seats])
        looked_at = seen(subject, snapshot.documents)
        document = looked_at.document
        if document is None:
            return
        sharing = await self._sharing(paths, license_id, _key_of(document), at=snapshot.at)
        writes = problem_writes(looked_at, self._problems(document, snapshot.documents, paths, sharing, {}))
        if writes:
            await self._firestore.commit(writes)

    async def _sharing(
        self, paths: OrganizationPaths, license_id: str, key: str | None, *, at: Instant
    ) -> list[Document]:
        """Find the other licenses with this key."""
        if key is None or len(key) > MAX_KEY_LENGTH:
            return []
        query = queries.licenses_with_key(key, limit=MAX_SHARING)
        found = await self._firestore.select(paths.organization, query, at=at)
        return [document for document in found if document.document_id != license_id]

    def _problems(
        self,
        document: Document,
        stored: Mapping[str, Document | None],
        paths: OrganizationPaths,
        sharing: Sequence[Document],
        fills: Mapping[str, Plain],
    ) -> list[Problem]:
        filled = Document(path=document.path, fields={**document.fields, **fills}, update_time=document.update_time)
        problems = misfits(LicenseDocument, filled.fields, written_by_us=_NOTES)
        license_ = license_from(filled, default_lease_for=self._policy.default_lease_for)
        if isinstance(license_, License):
            organization = organization_from(stored[paths.organization])
            problems += license_problems(
                license_,
                organization=organization if isinstance(organization, Organization) else None,
                use=_use(stored[paths.seats]),
                same_key=[each.document_id for each in sharing],
            )
        return problems

    async def _settle(self, looked_at: Seen, verdict: Verdict, *, at: Instant) -> None:
        writes = settling_writes(looked_at, verdict, retention=self._policy.retention, now=at.now)
        await self._firestore.commit(writes)


def _organization(paths: OrganizationPaths) -> Subject:
    return Subject(
        paths=paths,
        collection="organizations",
        document_id=paths.organization_id,
        edit=AuditType.ORGANIZATION_EDITED,
        form=OrganizationDocument,
        path=paths.organization,
    )


def _license(paths: OrganizationPaths, license_id: str) -> Subject:
    return Subject(
        paths=paths,
        collection="licenses",
        document_id=license_id,
        edit=AuditType.LICENSE_EDITED,
        form=LicenseDocument,
        path=paths.license(license_id),
    )


def _use(document: Document | None) -> SeatUse:
    """The counters; of those that somebody edited nothing is believed."""
    return seat_use_from(document) or SeatUse()


def _key_of(document: Document | None) -> str | None:
    key = None if document is None else document.fields.get("license_key")
    return key if isinstance(key, str) and key else None


def _is_changed(looked_at: Seen, name: str) -> bool:
    after = {} if looked_at.document is None else looked_at.told(looked_at.document.fields)
    return (looked_at.before or {}).get(name) != after.get(name)


def _key_is_left_out(document: Document) -> bool:
    key = document.fields.get("license_key")
    return key is None or (isinstance(key, str) and not key.strip())
