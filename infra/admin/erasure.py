"""Erases a person from an organization. Each step can be repeated, so a run that was cut off is simply run again.

::

    the invitation         deleted, so that nobody joins with the address again
    the user's document    deleted: the right to a seat is gone
                           sync_user_claims ends the sessions and reports the deletion; this is waited for
    audit events           blanked, the report of the deletion included
    sessions, record,
    places in the line     deleted
    invitations that the
    person sent            keep the address, and lose the sender

The sessions go last. While they are there, the function that looks at deleted sessions has nothing to report.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from infra.admin.blanking import blanked, invited_by
from shared.admin.review_record import ReviewTarget, is_json, seen
from shared.documents import queries
from shared.documents.forms import UserDocument
from shared.documents.organizations import next_page
from shared.documents.paths import OrganizationPaths
from shared.documents.writing import REPORTED
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore
from shared.firestore.query import Query
from shared.firestore.retry import read_with_retry, retry_until
from shared.firestore.values import Plain
from shared.firestore.writes import Delete, Update
from shared.rules.admission import invitation_id_of
from shared.rules.audit import ERASED, AuditType

EVENTS_OF, SESSIONS_OF, PLACES_OF, INVITATIONS_OF = SEARCHED = (
    ("audit_events", "user_id"),
    ("sessions", "user_id"),
    ("waiting", "user_id"),
    ("invitations", "invited_by"),
)
"""The fields that are searched for the user's id. Each needs the index that Firestore makes by itself."""

PAGE = 300
"""The most documents that are read with all fields, or written in one commit."""

_READ_PAGE = 1_000
_COMMIT_WITHIN = timedelta(seconds=60)
_PUBLISHED_WITHIN = timedelta(seconds=30)
_ASK_EVERY_SECONDS = 0.5


class UnfinishedError(Exception):
    """The erasure is not complete. The message says what is left and what to do. Running it again goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A user of one organization."""

    paths: OrganizationPaths
    user_id: str

    @property
    def review(self) -> ReviewTarget:
        """The review of the user's document, with the record that holds a copy of it."""
        return ReviewTarget(
            paths=self.paths,
            collection="users",
            document_id=self.user_id,
            edit=AuditType.USER_EDITED,
            form=UserDocument,
            path=self.paths.user(self.user_id),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The documents that name a person. ``acted`` are events about other users that the person caused.

    ``invited`` are invitations of the person's address, ``sent`` those that the person sent.
    """

    has_organization: bool
    own: Sequence[str]
    sessions: Sequence[Document]
    places: Sequence[Document]
    invited: Sequence[Document]
    sent: Sequence[Document]
    events: Sequence[Document]
    acted: Sequence[Document]
    elsewhere: Sequence[str]
    """Other organizations that list the person."""

    @property
    def is_nothing(self) -> bool:
        """Whether the organization keeps nothing about the person."""
        invitations = (*self.invited, *self.sent)
        return not (self.own or self.sessions or self.places or invitations or self.events or self.acted)

    @property
    def open_sessions(self) -> Sequence[str]:
        """The paths of the sessions that have not ended."""
        return [each.path for each in self.sessions if each.fields.get("ended_at") is None]


async def look(firestore: Firestore, person: Person, *, with_acted: bool = True) -> Found:
    """Find what names a person. Writes nothing.

    Costs one read for each document about the person. No index leads to an actor, so ``with_acted`` costs one read for
    each audit event of the organization.

    Raises:
        StoreUnavailable: Firestore did not answer.
    """
    review, paths = person.review, person.paths
    stored = (
        await read_with_retry(partial(firestore.read, [paths.organization, review.path, review.record_path]))
    ).documents
    events = await _all(firestore, person, EVENTS_OF, only_fields=("type", "published_at"))
    return Found(
        has_organization=stored[paths.organization] is not None,
        own=[path for path in (review.path, review.record_path) if stored[path] is not None],
        sessions=await _all(firestore, person, SESSIONS_OF, only_fields=("ended_at",)),
        places=await _all(firestore, person, PLACES_OF, only_fields=("user_id",)),
        invited=await _invited(firestore, person, stored),
        sent=await _all(firestore, person, INVITATIONS_OF, only_fields=("invited_by",)),
        events=events,
        acted=await _acted(firestore, person) if with_acted else [],
        elsewhere=await _elsewhere(firestore, person),
    )


async def erase(firestore: Firestore, person: Person, *, within: timedelta) -> None:
    """Erase a person. ``within``: how long to wait for the functions that end sessions and report the deletion.

    Raises:
        UnfinishedError: something is left.
        StoreUnavailable: Firestore did not answer. What was erased so far stays erased.
    """
    review = person.review
    stored = (await read_with_retry(partial(firestore.read, [review.path, review.record_path]))).documents
    # Before the documents that hold the address.
    invited = await _invited(firestore, person, stored)
    await _write_each(firestore, [each.path for each in invited], _delete)
    await _write_each(firestore, [review.path], _delete)
    await _wait_for_the_functions(firestore, person, within=within)
    found = await look(firestore, person)
    unpublished = [each.path for each in found.events if _is_on_its_way(each)]
    await _wait_until_published(firestore, unpublished)
    blank = partial(blanked, user_id=person.user_id)
    await _write_each(firestore, [each.path for each in (*found.events, *found.acted)], blank)
    await _write_each(firestore, [each.path for each in found.sessions], _delete_ended)
    await _write_each(firestore, [each.path for each in found.places], _delete)
    await _write_each(firestore, [each.path for each in found.sent], partial(_without_sender, user_id=person.user_id))
    await _write_each(firestore, [review.record_path], _delete)
    left = await look(firestore, person, with_acted=False)
    if not left.is_nothing:
        count = sum(map(len, (left.own, left.sessions, left.places, left.invited, left.sent, left.events)))
        message = f"{count} documents were written meanwhile. Run the same command again."
        raise UnfinishedError(message)


async def _wait_for_the_functions(firestore: Firestore, person: Person, *, within: timedelta) -> None:
    deadline = time.monotonic() + within.total_seconds()
    while waits_for := await _still_to_do(firestore, person):
        if time.monotonic() >= deadline:
            message = (
                f"The user's document is deleted, but after {within.total_seconds():.0f} s {waits_for}. "
                "Nothing else was erased. Run the same command again later."
            )
            raise UnfinishedError(message)
        await asyncio.sleep(_ASK_EVERY_SECONDS)


async def _still_to_do(firestore: Firestore, person: Person) -> str:
    """What the functions have not done yet, in words; empty if they are done."""
    review = person.review
    stored = (await read_with_retry(partial(firestore.read, [review.path, review.record_path]))).documents
    if stored[review.path] is not None:
        return "it is there again: an admin or another program wrote it"
    open_ = await read_with_retry(
        partial(
            firestore.select,
            person.paths.organization,
            queries.page_of_sessions(None, user_id=person.user_id, limit=PAGE),
        )
    )
    if open_:
        return (
            f"{len(open_)} sessions are open, such as {open_[0].path}. sync_user_claims ends them, or reconcile within "
            "15 minutes. Look at their logs: they name a session that they cannot read"
        )
    if not seen(review, stored).is_settled:
        return "sync_user_claims has not reported the deletion. Look at its logs"
    return ""


def _is_on_its_way(event: Document) -> bool:
    """Whether a function publishes this event at this moment, perhaps with the person in it."""
    return event.fields.get("published_at") is None and event.fields.get("type") != AuditType.DENIED


async def _wait_until_published(firestore: Firestore, paths: Sequence[str]) -> None:
    """Wait until these events are published, so that no message about the person comes later.

    It waits no longer than half a minute. An event that is not published by then is published without the person.
    """
    deadline = time.monotonic() + _PUBLISHED_WITHIN.total_seconds()
    while paths and time.monotonic() < deadline:
        stored = (await read_with_retry(partial(firestore.read, paths))).documents
        paths = [path for path, event in stored.items() if event is not None and _is_on_its_way(event)]
        await asyncio.sleep(_ASK_EVERY_SECONDS if paths else 0)


async def _elsewhere(firestore: Firestore, person: Person) -> list[str]:
    records = await read_with_retry(
        partial(firestore.select, ALL_ORGANIZATIONS, queries.reviews_of_user(person.user_id))
    )
    others = {located.paths for each in records if (located := OrganizationPaths.of(each.path)) is not None}
    others.discard(person.paths)
    if not others:
        return []
    listed = [paths.user(person.user_id) for paths in others]
    stored = (await read_with_retry(partial(firestore.read, listed))).documents
    return sorted(paths.organization_id for paths in others if stored[paths.user(person.user_id)] is not None)


async def _invited(firestore: Firestore, person: Person, stored: Mapping[str, Document | None]) -> list[Document]:
    """Find the invitations of the addresses that the user's document and its record hold."""
    document, record = (stored[path] for path in (person.review.path, person.review.record_path))
    emails = [] if document is None else [document.fields.get("email")]
    for name in ("fields", REPORTED):
        remembered = None if record is None else record.fields.get(name)
        told = remembered.get("email") if isinstance(remembered, Mapping) else None
        emails.append(json.loads(told) if isinstance(told, str) and is_json(told) else None)
    paths = {person.paths.invitation(invitation_id_of(email)) for email in emails if isinstance(email, str)}
    if not paths:
        return []
    found = (await read_with_retry(partial(firestore.read, sorted(paths)))).documents
    return [each for each in found.values() if each is not None]


async def _acted(firestore: Firestore, person: Person) -> list[Document]:
    """Find the events about other users that name the person, as actor or as who invited them, among all events."""
    trail = Query(collection="audit_events", limit=_READ_PAGE, only_fields=("actor", "user_id", "details.invited_by"))
    return [
        event
        async for page in pages(firestore, person.paths, trail)
        for event in page
        if event.fields.get("user_id") != person.user_id
        and person.user_id in (event.fields.get("actor"), invited_by(event))
    ]


async def _all(
    firestore: Firestore, person: Person, searched: tuple[str, str], *, only_fields: tuple[str, ...]
) -> list[Document]:
    """Find all documents of a collection whose field holds the user's id."""
    collection, field = searched
    query = Query(
        collection=collection, where=((field, "==", person.user_id),), limit=_READ_PAGE, only_fields=only_fields
    )
    return [document async for page in pages(firestore, person.paths, query) for document in page]


async def pages(firestore: Firestore, paths: OrganizationPaths, query: Query) -> AsyncIterator[list[Document]]:
    """Find the documents of one organization, a page of ``query.limit`` at a time.

    Raises:
        StoreUnavailable: Firestore did not answer.
    """
    following: Query | None = query
    while following is not None:
        page = await read_with_retry(partial(firestore.select, paths.organization, following))
        yield page
        following = next_page(following, page)


async def _write_each(
    firestore: Firestore, paths: Sequence[str], write: Callable[[Document], Delete | Update | None]
) -> None:
    """Write these documents as they are now, page by page. A page that changed meanwhile is read again."""
    message = "documents changed again and again, or Firestore did not answer; run the same command again"
    for first in range(0, len(paths), PAGE):
        attempt = partial(_write_page, firestore, paths[first : first + PAGE], write)
        await retry_until(attempt, within=_COMMIT_WITHIN, otherwise=message)


async def _write_page(
    firestore: Firestore, paths: Sequence[str], write: Callable[[Document], Delete | Update | None]
) -> None:
    stored = (await firestore.read(paths)).documents
    writes = [change for each in stored.values() if each is not None and (change := write(each)) is not None]
    if writes:
        await firestore.commit(writes)


def _delete(document: Document) -> Delete:
    return Delete(path=document.path, unchanged_since=document.update_time)


def _without_sender(invitation: Document, *, user_id: str) -> Update | None:
    if invitation.fields.get("invited_by") != user_id:
        return None
    fields: dict[str, Plain] = {"invited_by": ERASED}
    return Update(path=invitation.path, fields=fields, unchanged_since=invitation.update_time)


def _delete_ended(session: Document) -> Delete | None:
    """Leave out a session that was opened a moment ago, by a request that had read the user before."""
    return None if session.fields.get("ended_at") is None else _delete(session)
