"""Makes license keys, and finds the license of a key within one organization."""

import asyncio
import secrets
from collections.abc import Collection

from cachetools import LRUCache

from shared.documents import queries
from shared.documents.paths import OrganizationPaths
from shared.firestore.client import Document, Firestore
from shared.rules.license import ALPHABET, GROUP_LENGTH, GROUPS
from shared.rules.refusal import Unusable

MAX_REMEMBERED = 10_000
"""The most keys that one instance remembers. A forgotten one costs one query."""

Found = str | Unusable | None
"""The license's id, ``Unusable`` if two licenses have the key, or ``None``."""


def new_license_key() -> str:
    """Make a random key of 125 bits, which can be read aloud: five groups of five characters."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


class LicenseKeys:
    """Remembers the license id of each key. The license itself is read for every decision."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore
        self._remembered: LRUCache[tuple[str, str], str] = LRUCache(MAX_REMEMBERED)

    async def find(self, paths: OrganizationPaths, license_keys: Collection[str]) -> dict[str, Found]:
        """Find the licenses of the keys: from memory, or with one query for each key, all at the same time.

        Raises:
            StoreUnavailable: Firestore did not answer.
        """
        distinct = list(dict.fromkeys(license_keys))
        found: dict[str, Found] = {key: self._remembered.get((paths.organization_id, key)) for key in distinct}
        unknown = [key for key in distinct if found[key] is None]
        if not unknown:
            return found
        answers = await asyncio.gather(
            *(self._firestore.select(paths.organization, queries.licenses_with_key(key)) for key in unknown)
        )
        for key, documents in zip(unknown, answers, strict=True):
            found[key] = self._only(documents)
            if len(documents) == 1:
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
