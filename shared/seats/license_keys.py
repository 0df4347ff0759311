"""Makes license keys, and finds the license of a key within one organization."""

import asyncio
import secrets
import time
from collections.abc import Callable, Collection
from datetime import timedelta

from cachetools import LRUCache, TTLCache

from shared.documents import queries
from shared.documents.paths import OrganizationPaths
from shared.firestore.client import Document, Firestore
from shared.rules.license import ALPHABET, GROUP_LENGTH, GROUPS
from shared.rules.refusal import Unusable

MAX_REMEMBERED = 10_000
"""The most keys that one instance remembers, and as many that no license had. A forgotten one costs one query."""

NOT_FOUND_FOR = timedelta(seconds=5)
"""How long an instance refuses a key that no license had, without a query. A new license's key counts after that."""

QUERIES_AT_A_TIME = 16
"""The most queries of one organization at a time. The instance's other calls belong to all organizations."""

Found = str | Unusable | None
"""The license's id, ``Unusable`` if two licenses have the key, or ``None``."""


def new_license_key() -> str:
    """Make a random key of 125 bits, which can be read aloud: five groups of five characters."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


class LicenseKeys:
    """Remembers the license id of each key, and for some seconds the keys that no license has.

    The license itself is read for every decision. ``clock`` counts seconds and is never set.
    """

    def __init__(self, firestore: Firestore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._firestore = firestore
        self._remembered: LRUCache[tuple[str, str], str] = LRUCache(MAX_REMEMBERED)
        self._not_found: TTLCache[tuple[str, str], None] = TTLCache(
            MAX_REMEMBERED, ttl=NOT_FOUND_FOR.total_seconds(), timer=clock
        )

    async def find(self, paths: OrganizationPaths, license_keys: Collection[str]) -> dict[str, Found]:
        """Find the licenses of the keys: from memory, or with one query for each key, some at a time.

        Raises:
            StoreUnavailable: Firestore did not answer.
        """
        distinct = list(dict.fromkeys(license_keys))
        found: dict[str, Found] = {key: self._remembered.get((paths.organization_id, key)) for key in distinct}
        unknown = [
            key for key in distinct if found[key] is None and (paths.organization_id, key) not in self._not_found
        ]
        if not unknown:
            return found
        room = asyncio.Semaphore(QUERIES_AT_A_TIME)

        async def look_up(key: str) -> list[Document]:
            async with room:
                return await self._firestore.select(paths.organization, queries.licenses_with_key(key))

        asked = [asyncio.ensure_future(look_up(key)) for key in unknown]
        try:
            answers = await asyncio.gather(*asked)
        finally:
            for each in asked:  # after an error the group begins again, and none of these may still wait for room
                each.cancel()
        for key, documents in zip(unknown, answers, strict=True):
            found[key] = self._only(documents)
            if not documents:
                self._not_found[paths.organization_id, key] = None
            elif len(documents) == 1:
                self._remembered[paths.organization_id, key] = documents[0].document_id
        return found

    def forget(self, paths: OrganizationPaths, license_key: str) -> None:
        """Forget a key, because its license has another key now."""
        self._remembered.pop((paths.organization_id, license_key), None)

    @staticmethod
    def _only(documents: list[Document]) -> Found:
        match documents:
            case []:
                return None
            case [document]:
                return document.document_id
            case [document, *_]:
                # Two licenses with one key: an admin must decide which license keeps it.
                return Unusable(document="license", document_path=document.path, fields=("license_key",))
            case _:
                message = "a list is empty or has a first element"
                raise AssertionError(message)
