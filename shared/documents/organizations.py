"""Work over all organizations: a run with its time, pages of documents, and each organization for itself."""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared.documents.paths import OrganizationPaths
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore
from shared.firestore.query import Cursor, Query
from shared.firestore.retry import read_with_retry
from shared.firestore.values import is_opaque

logger = logging.getLogger(__name__)


MAX_ORGANIZATIONS = 16
"""Organizations worked on at a time. Their documents are apart, so they do not disturb each other."""


class Run:
    """Time that runs from its making on. What was begun before it is spent is finished; nothing is begun after."""

    def __init__(self, within: timedelta) -> None:
        """Allow ``within`` from now."""
        self._ends = time.monotonic() + within.total_seconds()
        self.is_complete = True
        """Whether nothing was left out for want of time."""
        self.ended: Counter[str] = Counter()
        """Sessions ended, by organization."""
        self.failed: set[str] = set()
        """Organizations with something that could not be done."""

    def may_begin(self) -> bool:
        """Whether something more may be begun. A no is remembered."""
        if time.monotonic() >= self._ends:
            self.is_complete = False
        return self.is_complete

    @contextmanager
    def isolated(self, paths: OrganizationPaths) -> Iterator[None]:
        """Note and log what goes wrong in one organization: whatever its documents provoke, others must not feel it."""
        try:
            yield
        except Exception:
            self.failed.add(paths.organization_id)
            logger.exception("the run goes on without it", extra={"organization_id": paths.organization_id})


def by_organization(documents: Iterable[Document], *, collection: str) -> dict[OrganizationPaths, list[Document]]:
    """Sort the documents of a collection by organization, in the order in which they come.

    A collection of the same name elsewhere in the database is not ours, and its documents are left out.
    """
    sorted_ = defaultdict(list)
    for document in documents:
        located = OrganizationPaths.of(document.path)
        if located is not None and located.collection == collection:
            sorted_[located.paths].append(document)
    return dict(sorted_)


async def each_organization(
    grouped: Mapping[OrganizationPaths, Sequence[Document]],
    work: Callable[[OrganizationPaths, Sequence[Document]], Awaitable[None]],
    *,
    at_once: int,
) -> None:
    """Do the work for every organization, for so many of them at once."""
    room = asyncio.Semaphore(at_once)

    async def alone(paths: OrganizationPaths, documents: Sequence[Document]) -> None:
        async with room:
            await work(paths, documents)

    await asyncio.gather(*(alone(paths, documents) for paths, documents in grouped.items()))


def next_page(query: Query, page: Sequence[Document]) -> Query | None:
    """Ask for what comes after a page, or ``None`` when it was the last one."""
    if query.limit is None or len(page) < query.limit:
        return None
    value = None if query.order_by is None else page[-1].fields.get(query.order_by)
    if is_opaque(value):
        # Bytes or a place where a number should be: somebody's slip, sorted behind everything that is ours.
        return None
    return replace(query, after=Cursor(path=page[-1].path, value=value))


async def walk(firestore: Firestore, query: Query) -> AsyncIterator[list[Document]]:
    """Find the documents of all organizations, a page of ``query.limit`` at a time.

    What changes meanwhile may be seen as it was or as it is.

    Raises:
        StoreUnavailable: no answer.
    """
    following: Query | None = query
    while following is not None:
        page = await read_with_retry(partial(firestore.select, ALL_ORGANIZATIONS, following))
        yield page
        following = next_page(following, page)


async def work_through(
    firestore: Firestore,
    query: Query,
    work: Callable[[OrganizationPaths, Sequence[Document]], Awaitable[None]],
    *,
    run: Run,
) -> None:
    """Do the work for every organization with what a page has of it, page by page, until the run's time is up.

    Raises:
        StoreUnavailable: no answer.
    """
    async for page in walk(firestore, query):
        await each_organization(by_organization(page, collection=query.collection), work, at_once=MAX_ORGANIZATIONS)
        if not run.is_complete:
            break
