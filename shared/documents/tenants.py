"""Work over all organizations: documents sorted by whose they are, and each organization's done for itself."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from shared.documents.paths import OrganizationPaths
from shared.firestore.client import Document


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
