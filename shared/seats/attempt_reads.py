"""Reads for the attempts of one group: who only lost the race for the next grant does not read everything again.

An attempt collides when another instance granted seats between its read and its commit. The counters have changed then;
users, licenses and sessions hardly ever have. So the next attempt takes from the failed one what it has read, and asks
for the counters and for what those need who came meanwhile. That is less to read, and less time in which to collide
again (``infra/decisions/0018-the-next-attempt-reads-the-counters.md``).

Such a snapshot is not of one instant. What may be decided on it is only what is written under the condition that the
documents it rests on are as they were read; for anything else everything has to be read anew.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace

from shared.firestore.client import Document, Firestore, Snapshot

KEPT_SECONDS = 0.2
"""How old the documents of a failed attempt may be. Whoever was deactivated so long ago may still be given a seat."""


class AttemptReads:
    """What the last attempt of one group has read, for the next one."""

    def __init__(self, firestore: Firestore, *, changing: str) -> None:
        """``changing`` is the path of the document that is read for each attempt."""
        self._firestore = firestore
        self._changing = changing
        self._kept: Mapping[str, Document | None] = {}
        self._kept_until = 0.0

    async def read(self, paths: Collection[str]) -> tuple[Snapshot, bool]:
        """Read the documents, and say whether some are those of the attempt before. One round trip.

        Of two attempts in a row one at least reads everything.

        Raises:
            StoreUnavailable: no answer.
        """
        now = asyncio.get_running_loop().time()
        kept = self._kept if now < self._kept_until else {}
        self.forget()
        if kept:
            anew = [path for path in paths if path == self._changing or path not in kept]
            snapshot = await self._firestore.read(anew)
            return replace(snapshot, documents={**kept, **snapshot.documents}), True
        snapshot = await self._firestore.read(paths)
        self._kept, self._kept_until = snapshot.documents, now + KEPT_SECONDS
        return snapshot, False

    def forget(self) -> None:
        """Keep nothing: the attempt has changed what it read, or decided on it."""
        self._kept = {}
