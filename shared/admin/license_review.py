"""Reviews of licenses. Each is compared with its organization, the seats in use, and other licenses with its key."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from shared.admin.form_problems import form_problems
from shared.admin.review_record import (
    BOOKKEEPING,
    CREATED_AT,
    UPDATED_AT,
    ReviewResult,
    ReviewState,
    ReviewTarget,
    defaults,
    problem_writes,
    review_writes,
    seen,
)
from shared.documents import queries
from shared.documents.forms import MAX_KEY_LENGTH, LicenseDocument
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.policy import Policy
from shared.documents.reading import license_from, organization_from, seat_use_from
from shared.documents.writing import document_write
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore, ReadTime, Snapshot
from shared.firestore.values import Plain
from shared.firestore.writes import Update
from shared.rules.audit import AuditType
from shared.rules.license import License, normal_key
from shared.rules.organization import Organization
from shared.rules.review import Problem, key_elsewhere, license_problems
from shared.rules.seat_use import SeatUse

MAX_SHARING = 20
"""The most licenses with one key that are listed in each other's problems."""

AT_ONCE = 16
"""Licenses reviewed at a time when their organization's cap has changed."""

_LICENSE_DEFAULTS: Mapping[str, Plain] = {
    name: LicenseDocument.model_fields[name].default
    for name in ("name", "max_concurrent_seats", "expires_at", "is_active")
}
_SHARING = "sharing"
_WRITTEN_BY_US = (*BOOKKEEPING, "created_by")


class LicenseReviews:
    """Reviews the licenses of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy

    async def review(self, paths: OrganizationPaths, license_id: str, new_key: str) -> None:
        """Review a license. If it has no key, it gets ``new_key``.

        Raises:
            Conflict: a document changed meanwhile.
            StoreUnavailable: Firestore did not answer.
        """
        looked_at, snapshot = await self._look(paths, license_id)
        if looked_at.is_settled:
            return
        document = looked_at.document
        if document is not None and (normal := _normalized(document)) is not None:
            # First of all: the other licenses with the key are found by its normal form, and find this one by it.
            await self._firestore.commit([normal])
            await self.review(paths, license_id, new_key)
            return
        sharing = await self._sharing(paths, license_id, document, at=snapshot.at)
        told = _told_of(looked_at)
        if not told >= set(sharing):
            # Noted before the other licenses are changed, so that they are updated again after any later edit.
            noted = document_write(
                looked_at.subject.record_path, looked_at.record, {_SHARING: sorted({*told, *sharing})}
            )
            await self._firestore.commit([noted] if noted is not None else [])
            await self.review(paths, license_id, new_key)
            return
        # The others first. If the run is cut off, the platform delivers the event again and the review starts over.
        await asyncio.gather(*(self._refresh(paths, other) for other in told))
        fills = defaults(_LICENSE_DEFAULTS, looked_at, dated=(CREATED_AT, UPDATED_AT))
        if document is not None and _key_is_left_out(document):
            fills = {"license_key": new_key, **fills}
        if document is not None:
            fills |= _normal_groups({**document.fields, **fills})
        problems = [] if document is None else await self._problems(document, snapshot, paths, sharing, fills)
        verdict = ReviewResult(fills=fills, problems=problems)
        writes = review_writes(
            looked_at, verdict, retention=self._policy.retention, now=snapshot.at.now, sharing=sharing
        )
        await self._firestore.commit(writes)

    async def refresh_all(self, paths: OrganizationPaths) -> None:
        """Write the problems of all licenses of an organization anew, because its cap has changed.

        It raises the errors of ``review``.
        """
        room = asyncio.Semaphore(AT_ONCE)

        async def one(license_id: str) -> None:
            async with room:
                await self._refresh(paths, license_id)

        licenses = await self._firestore.select(paths.organization, queries.all_licenses())
        await asyncio.gather(*(one(each.document_id) for each in licenses))

    async def _refresh(self, paths: OrganizationPaths, license_id: str) -> None:
        """Write the problems of a license anew, because another document changed."""
        looked_at, snapshot = await self._look(paths, license_id)
        document = looked_at.document
        if document is None:
            return
        sharing = await self._sharing(paths, license_id, document, at=snapshot.at)
        problems = await self._problems(document, snapshot, paths, sharing, {})
        writes = problem_writes(looked_at, problems, sharing=sorted({*_told_of(looked_at), *sharing}))
        if writes:
            await self._firestore.commit(writes)

    async def _look(self, paths: OrganizationPaths, license_id: str) -> tuple[ReviewState, Snapshot]:
        """Read a license with its review record, its organization and the counters."""
        subject = _license(paths, license_id)
        snapshot = await self._firestore.read([subject.path, subject.record_path, paths.organization, paths.seats])
        return seen(subject, snapshot.documents), snapshot

    async def _sharing(
        self, paths: OrganizationPaths, license_id: str, document: Document | None, *, at: ReadTime
    ) -> list[str]:
        """The ids of the other licenses with the key of this one."""
        key = None if document is None else document.fields.get("license_key")
        if not isinstance(key, str) or not key or len(key) > MAX_KEY_LENGTH:
            return []
        query = queries.licenses_with_key(key, limit=MAX_SHARING)
        found = await self._firestore.select(paths.organization, query, at=at)
        return sorted(each.document_id for each in found if each.document_id != license_id)

    async def _is_elsewhere(self, paths: OrganizationPaths, license_key: str, *, at: ReadTime) -> bool:
        """Whether a license of another organization has this key."""
        query = queries.licenses_with_key_everywhere(license_key, limit=MAX_SHARING + 1)
        found = await self._firestore.select(ALL_ORGANIZATIONS, query, at=at)
        return any(located.paths != paths for each in found if (located := OrganizationPaths.of(each.path)) is not None)

    async def _unused_groups(self, paths: OrganizationPaths, license_: License, *, at: ReadTime) -> list[str]:
        """The groups that the license names and no user has. Later edits of users do not have it asked again."""
        named = sorted({*license_.reservations, *(license_.allowed_groups or ())})
        looks = (self._firestore.select(paths.organization, queries.users_in_group(each), at=at) for each in named)
        return [group for group, users in zip(named, await asyncio.gather(*looks), strict=True) if not users]

    async def _problems(
        self,
        document: Document,
        snapshot: Snapshot,
        paths: OrganizationPaths,
        sharing: Sequence[str],
        fills: Mapping[str, Plain],
    ) -> list[Problem]:
        filled = Document(path=document.path, fields={**document.fields, **fills}, update_time=document.update_time)
        problems = form_problems(LicenseDocument, filled.fields, written_by_us=_WRITTEN_BY_US)
        license_ = license_from(filled, self._policy)
        if isinstance(license_, License):
            stored, at = snapshot.documents, snapshot.at
            organization = organization_from(stored[paths.organization])
            problems += license_problems(
                license_,
                organization=organization if isinstance(organization, Organization) else None,
                use=counted(stored[paths.seats]),
                same_key=sharing,
                unused_groups=await self._unused_groups(paths, license_, at=at),
                now=at.now,
            )
            if await self._is_elsewhere(paths, license_.license_key, at=at):
                problems.append(key_elsewhere())
        return problems


def _normal_groups(fields: Mapping[str, Any]) -> dict[str, Plain]:
    """The fields that name groups, in the form in which they count; only those that are in another form."""
    try:
        read = LicenseDocument.model_validate(fields)
    except ValidationError:
        return {}
    normal: Mapping[str, Plain] = {"allowed_groups": read.allowed_groups, "reservations": read.reservations}
    return {name: value for name, value in normal.items() if name in fields and value != fields[name]}


def counted(document: Document | None) -> SeatUse:
    """Read the counters; without seats if they are missing or were edited by hand."""
    return seat_use_from(document) or SeatUse()


def _license(paths: OrganizationPaths, license_id: str) -> ReviewTarget:
    return ReviewTarget(
        paths=paths,
        collection="licenses",
        document_id=license_id,
        edit=AuditType.LICENSE_EDITED,
        form=LicenseDocument,
        path=paths.license(license_id),
    )


def _told_of(looked_at: ReviewState) -> set[str]:
    """The ids of the licenses that were last seen with the key of this one."""
    noted = None if looked_at.record is None else looked_at.record.fields.get(_SHARING)
    ids = noted if isinstance(noted, list) else []
    return {each for each in ids if isinstance(each, str) and can_be_document_id(each)}


def _key_is_left_out(document: Document) -> bool:
    key = document.fields.get("license_key")
    return key is None or (isinstance(key, str) and not key.strip())


def has_unusual_key(document: Document) -> bool:
    """Whether it has a key that is not in its normal form. An earlier version left keys as they were."""
    key = document.fields.get("license_key")
    return isinstance(key, str) and key != normal_key(key) and not _key_is_left_out(document)


def _normalized(document: Document) -> Update | None:
    """Write the key in its normal form; ``None`` if it has that form, or there is none."""
    if not has_unusual_key(document):
        return None
    normal = normal_key(str(document.fields["license_key"]))
    return Update(path=document.path, fields={"license_key": normal}, unchanged_since=document.update_time)
