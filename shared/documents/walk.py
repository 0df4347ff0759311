"""Walking over more documents than one answer should hold, page by page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from shared.documents.paths import OrganizationPaths
from shared.documents.run import MAX_ORGANIZATIONS, Run
from shared.documents.tenants import by_organization, each_organization
from shared.firestore.client import EVERYWHERE, Document, Firestore
from shared.firestore.query import Cursor, Query
from shared.firestore.retry import read_patiently
from shared.firestore.values import is_opaque


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
        page = await read_patiently(partial(firestore.select, EVERYWHERE, following))
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
