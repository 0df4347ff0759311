"""Resync: has the functions look at documents that admins edit as if they had just been edited.

Firestore calls no function for documents that are imported. Such a document is *touched*: its ``problems`` are emptied.
That is a write, so Firestore calls the function for it, which fills in, sets claims, and writes the problems again.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial

from shared.admin.license_review import has_unusual_key
from shared.admin.review_record import PROBLEMS, ReviewTarget, listed, seen
from shared.documents import queries
from shared.documents.forms import Form, LicenseDocument, OrganizationDocument, UserDocument
from shared.documents.organizations import Run, next_page
from shared.documents.paths import OrganizationPaths, run_path
from shared.documents.places import Place, place_from, remember
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore, ReadTime
from shared.firestore.errors import Conflict, StoreUnavailable
from shared.firestore.retry import READ_WITHIN, read_with_retry, retry_until
from shared.firestore.values import decode_time
from shared.firestore.writes import Update
from shared.rules.audit import AuditType
from shared.rules.claims import DOCUMENT_ID
from shared.rules.review import Level, Problem

logger = logging.getLogger(__name__)

ROUND = "resync"
EVERY = timedelta(days=1)
"""How often all documents are looked at for edits that were missed."""

UNDER_WAY_FOR = timedelta(minutes=10)
"""A document that was written a shorter time ago may still be reviewed."""

PAGE = 250
TOUCHED_AT_ONCE = 16

EDITED: Mapping[str, tuple[AuditType, type[Form]]] = {
    "organizations": (AuditType.ORGANIZATION_EDITED, OrganizationDocument),
    "licenses": (AuditType.LICENSE_EDITED, LicenseDocument),
    "users": (AuditType.USER_EDITED, UserDocument),
}
"""The collections that admins edit, in the order in which they are looked at."""

_DONE = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResyncReport:
    """How many documents were looked at, and how many of them were touched."""

    documents_looked_at: int = 0
    documents_touched: int = 0


class Resync:
    """Touches documents of all organizations."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    async def touch_missed(self, *, run_within: timedelta) -> ResyncReport:
        """Touch the documents whose last edit no function has reviewed, once a day, until the time is up.

        A run goes on where the last one stopped.

        Raises:
            StoreUnavailable: Firestore did not answer.
        """
        run, report = Run(run_within), ResyncReport()
        snapshot = await read_with_retry(partial(self._firestore.read, [run_path(ROUND)]))
        place = place_from(snapshot.documents[run_path(ROUND)])
        if place is None or place.walk not in {*EDITED, _DONE}:
            place = _beginning(snapshot.at)
        if place.walk == _DONE:
            if snapshot.at.now < place.began_at + EVERY:
                return report
            place = _beginning(snapshot.at)
        while place.walk != _DONE and run.may_begin():
            query = replace(queries.all_documents(place.walk, limit=PAGE), after=place.after)
            page = await read_with_retry(partial(self._firestore.select, ALL_ORGANIZATIONS, query))
            missed = await self._missed(page, at=snapshot.at)
            await self.touch(missed)
            report = ResyncReport(
                documents_looked_at=report.documents_looked_at + len(page),
                documents_touched=report.documents_touched + len(missed),
            )
            following = next_page(query, page)
            after = None if following is None else following.after
            place = replace(place, walk=place.walk if after is not None else _following(place.walk), after=after)
            await remember(self._firestore, ROUND, place)
        if report.documents_touched:
            logger.warning("edits that no function had seen were found", extra=asdict(report))
        return report

    async def _missed(self, page: Sequence[Document], *, at: ReadTime) -> list[Document]:
        """The documents of a page that are not as the function last left them."""
        targets = {document.path: target for document in page if (target := target_of(document)) is not None}
        if not targets:
            return []
        records = [target.record_path for target in targets.values()]
        stored = (await read_with_retry(partial(self._firestore.read, records))).documents
        return [
            document
            for document in page
            if document.path in targets
            and decode_time(document.update_time) < at.now - UNDER_WAY_FOR
            and (
                not seen(targets[document.path], {**stored, document.path: document}).is_settled
                or has_unusual_key(document)
            )
            and _touched(document) is not None
        ]

    async def touch(self, documents: Sequence[Document]) -> None:
        """Touch documents that admins edit. It may be repeated.

        Raises:
            StoreUnavailable: Firestore did not answer. Some documents are touched already.
        """
        room = asyncio.Semaphore(TOUCHED_AT_ONCE)

        async def one(document: Document) -> None:
            write = _touched(document)
            async with room:
                try:
                    if write is not None:
                        await retry_until(
                            partial(self._firestore.commit, [write]),
                            StoreUnavailable,
                            within=READ_WITHIN,
                            otherwise="a document could not be touched; the others stay touched",
                        )
                except Conflict:
                    logger.info(
                        "a document was edited meanwhile, so its function was called", extra={"document": document.path}
                    )

        await asyncio.gather(*map(one, documents))


def _beginning(at: ReadTime) -> Place:
    return Place(walk=next(iter(EDITED)), began_at=at.now)


def _following(collection: str) -> str:
    """The collection that is looked at after this one."""
    order = [*EDITED, _DONE]
    return order[order.index(collection) + 1]


def target_of(document: Document) -> ReviewTarget | None:
    """What to review; ``None`` for a document of a collection of the same name elsewhere in the database."""
    paths, collection = OrganizationPaths.of_organization(document.path), "organizations"
    if paths is None:
        located = OrganizationPaths.of(document.path)
        if located is None or located.collection not in EDITED:
            return None
        paths, collection = located.paths, located.collection
    edit, form = EDITED[collection]
    return ReviewTarget(
        paths=paths, collection=collection, document_id=document.document_id, edit=edit, form=form, path=document.path
    )


def id_with_blank() -> Problem:
    """Report an id that cannot come with an event."""
    found = "an id that begins or ends with a blank, so that no function is called for this document"
    expected = "an id without the blank: make a new document, and delete this one"
    return Problem(field=DOCUMENT_ID, level=Level.ERROR, found=found, expected=expected)


def _touched(document: Document) -> Update | None:
    """The write that touches a document. ``None`` if its id cannot come with an event, and the document says so."""
    write = partial(Update, path=document.path, unchanged_since=document.update_time)
    if document.document_id != document.document_id.strip():
        # HTTP takes the blank off the end of the header that names the document.
        told = listed([id_with_blank()])
        return None if document.fields.get(PROBLEMS) == told else write(fields={PROBLEMS: told})
    # A write that changes nothing is no event. Neither value is what a review leaves, so the review is not skipped.
    if PROBLEMS in document.fields and document.fields[PROBLEMS] is None:
        return write(fields={}, without=(PROBLEMS,))
    return write(fields={PROBLEMS: None})
