"""Work over all organizations, in a run of limited time. A failure in one organization does not stop the others."""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain

from shared.documents.paths import OrganizationPaths, in_order
from shared.documents.places import Place, remember
from shared.documents.queries import all_organizations
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore
from shared.firestore.query import Cursor, Query
from shared.firestore.retry import read_with_retry
from shared.firestore.values import is_opaque

logger = logging.getLogger(__name__)


PAGE = 500
"""Organizations listed at a time."""

MAX_ORGANIZATIONS = 16
"""Organizations worked on at a time. Their documents are separate, so their commits do not conflict."""


class Run:
    """A run of limited time. Work begun in time is finished; nothing is begun after the time is up."""

    def __init__(self, within: timedelta) -> None:
        """Start the clock: the run may begin work for ``within`` from now on."""
        self._ends = time.monotonic() + within.total_seconds()
        self.is_complete = True
        """False when work was left out because the time was up."""
        self.ended: Counter[str] = Counter()
        """Sessions ended, by organization."""
        self.failed: set[str] = set()
        """Organizations in which something failed."""

    def may_begin(self) -> bool:
        """Whether the run may begin more work. If not, ``is_complete`` becomes false."""
        if time.monotonic() >= self._ends:
            self.is_complete = False
        return self.is_complete

    @contextmanager
    def isolated(self, paths: OrganizationPaths) -> Iterator[None]:
        """Note and log an error in one organization, so that its documents cannot stop the work in others."""
        try:
            yield
        except Exception:
            self.failed.add(paths.organization_id)
            logger.exception(
                "an organization failed; the run goes on with the others",
                extra={"organization_id": paths.organization_id},
            )


def by_organization(documents: Iterable[Document], *, collection: str) -> dict[OrganizationPaths, list[Document]]:
    """Group the documents of a collection by organization, in the order in which they come.

    An organization's own document stands for itself. Documents of a collection of the same name elsewhere in the
    database are left out.
    """
    sorted_ = defaultdict(list)
    for document in documents:
        located, paths = OrganizationPaths.of(document.path), OrganizationPaths.of_organization(document.path)
        if located is not None and located.collection == collection:
            sorted_[located.paths].append(document)
        elif paths is not None and collection == "organizations":
            sorted_[paths].append(document)
    return dict(sorted_)


async def each_organization(
    grouped: Mapping[OrganizationPaths, Sequence[Document]],
    work: Callable[[OrganizationPaths, Sequence[Document]], Awaitable[None]],
    *,
    at_once: int,
) -> None:
    """Do the work for every organization, for at most ``at_once`` of them at a time."""
    room = asyncio.Semaphore(at_once)

    async def alone(paths: OrganizationPaths, documents: Sequence[Document]) -> None:
        async with room:
            await work(paths, documents)

    await asyncio.gather(*(alone(paths, documents) for paths, documents in grouped.items()))


def next_page(query: Query, page: Sequence[Document]) -> Query | None:
    """Make the query for the next page, or ``None`` when this page was the last one."""
    if query.limit is None or len(page) < query.limit:
        return None
    value = None if query.order_by is None else page[-1].fields.get(query.order_by)
    if is_opaque(value):
        # Bytes or a geopoint, typed in by hand, where a time or number should be. Firestore sorts them last.
        return None
    return replace(query, after=Cursor(path=page[-1].path, value=value))


async def walk(firestore: Firestore, query: Query) -> AsyncIterator[list[Document]]:
    """Find the documents of all organizations, a page of ``query.limit`` at a time.

    A document that changes during the walk may be seen before or after its change.

    Raises:
        StoreUnavailable: no answer.
    """
    following: Query | None = query
    while following is not None:
        page = await read_with_retry(partial(firestore.select, ALL_ORGANIZATIONS, following))
        yield page
        following = next_page(following, page)


async def every_organization(firestore: Firestore) -> list[OrganizationPaths]:
    """List all organizations that have a document, by their ids.

    Raises:
        StoreUnavailable: no answer.
    """
    found = [page async for page in walk(firestore, all_organizations(limit=PAGE))]
    paths = (OrganizationPaths.of_organization(document.path) for document in chain.from_iterable(found))
    return [each for each in paths if each is not None]


Work = Callable[[OrganizationPaths, Sequence[Document]], Awaitable[None]]


async def go_round(
    firestore: Firestore, name: str, walks: Mapping[str, tuple[Query, Work]], *, place: Place, run: Run
) -> None:
    """Do the work of all walks once, until the run's time is up. It begins behind ``place``, and ends there.

    Each full page is remembered as the place at which the next run begins. So a run that never ends, because it is
    killed or its time is up, is no reason that a document is never reached. Where the run comes to the front again, it
    remembers that a new round begins.

    Raises:
        StoreUnavailable: no answer.
    """
    names = list(walks)
    first = names.index(place.walk)
    order = [*names[first:], *names[:first]]
    if place.after is not None:
        order.append(place.walk)
    began_at = place.began_at
    for number, each in enumerate(order):
        query, work = walks[each]
        begins_at_place, ends_at_place = number == 0, number == len(names)
        if each == names[0] and not begins_at_place:
            began_at = (await read_with_retry(firestore.now)).now
            await remember(firestore, name, Place(walk=each, began_at=began_at))
        async for page in walk(firestore, replace(query, after=place.after if begins_at_place else None)):
            todo = [document for document in page if not (ends_at_place and _is_behind(document, place, query))]
            await each_organization(by_organization(todo, collection=query.collection), work, at_once=MAX_ORGANIZATIONS)
            if not run.is_complete or len(todo) < len(page):
                return
            if (following := next_page(query, page)) is not None:
                await remember(firestore, name, Place(walk=each, after=following.after, began_at=began_at))


def _is_behind(document: Document, place: Place, query: Query) -> bool:
    """Whether a walk in the order of paths reaches this document behind the place."""
    if query.order_by is not None or place.after is None:
        return False
    return in_order(document.path) > in_order(place.after.path)


async def work_through(
    firestore: Firestore,
    query: Query,
    work: Work,
    *,
    run: Run,
) -> None:
    """Do the work page by page, for every organization with its documents on the page, until the run's time is up.

    Raises:
        StoreUnavailable: no answer.
    """
    async for page in walk(firestore, query):
        await each_organization(by_organization(page, collection=query.collection), work, at_once=MAX_ORGANIZATIONS)
        if not run.is_complete:
            break
