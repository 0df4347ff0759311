"""License keys to license ids, within one organization."""

import asyncio
import secrets
from collections.abc import Collection

from cachetools import LRUCache

from shared.documents import queries
from shared.documents.paths import OrganizationPaths
from shared.firestore.client import Document, Firestore
from shared.rules.refusal import Unusable

MAX_REMEMBERED = 10_000
"""Keys remembered by one instance; a forgotten one costs one query."""

Found = str | Unusable | None
"""A license's id; what stands in the way; or nothing."""


_READABLE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O and U, which people take for 1, 0 and V when a key is read out to them."""

_GROUPS, _GROUP_LENGTH = 5, 5


def new_license_key() -> str:
    """Make a key that nobody can guess and that can be read out: 125 bits in five groups of five characters."""
    groups = ("".join(secrets.choice(_READABLE) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


class LicenseKeys:
    """Remembers where a key was found. It does not remember the license, which is read for every decision."""

    def __init__(self, firestore: Firestore) -> None:
        """Look keys up over the connection."""
        self._firestore = firestore
        self._remembered: LRUCache[tuple[str, str], str] = LRUCache(MAX_REMEMBERED)

    async def find(self, paths: OrganizationPaths, license_keys: Collection[str]) -> dict[str, Found]:
        """Find the licenses of the keys: from memory, or else one query for each key, all at once.

        Raises:
            StoreUnavailable: no answer.
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
        """Look the key up again the next time: the license that had it has it no longer."""
        self._remembered.pop((paths.organization_id, license_key), None)

    @staticmethod
    def _only(documents: list[Document]) -> Found:
        match documents:
            case []:
                return None
            case [document]:
                return document.document_id
            case [document, *_]:
                # Two licenses with one key: which of them was sold is for the admin to say.
                return Unusable(document="license", document_path=document.path, fields=("license_key",))
            case _:
                message = "a list is empty or has a first element"
                raise AssertionError(message)
