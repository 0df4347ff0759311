"""The attempts of a flood, added to the denials that are on record."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from shared.documents.paths import OrganizationPaths
from shared.documents.reading import attempts_from
from shared.firestore.client import Document, Firestore
from shared.firestore.errors import StoreError
from shared.firestore.retry import in_time
from shared.firestore.writes import Update
from shared.seats.flood import Flood

logger = logging.getLogger(__name__)

WRITTEN_AFTER_SECONDS = 1.0
"""How long attempts are added up before they are written; soon enough for the minute's final number."""

MAX_WRITTEN = 200
"""Denials in one commit."""

Tallies = Mapping[str, tuple[int, datetime]]


class TallyKeeper:
    """Writes the attempts of one organization's flood, a second after the first of them, for as long as there are any.

    An instance that is stopped within that second takes them with it; the device's first attempt is on record.
    """

    def __init__(self, firestore: Firestore, paths: OrganizationPaths, *, within: timedelta) -> None:
        """Write for one organization; what cannot be written ``within`` this time is given up, and logged."""
        self.flood = Flood()
        self._firestore = firestore
        self._paths = paths
        self._within = within
        self._writing: asyncio.Task[None] | None = None

    def see_to_it(self) -> None:
        """Have the tallies written, if there are any."""
        if self.flood.has_tallies and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self.flood.has_tallies:
            await asyncio.sleep(WRITTEN_AFTER_SECONDS)
            tallies = self.flood.take_tallies(MAX_WRITTEN)
            try:
                await in_time(partial(self._add, tallies), within=self._within, otherwise="the store was away too long")
            except StoreError as error:
                number = sum(number for number, _ in tallies.values())
                logger.warning("%d attempts of %d denials were not counted", number, len(tallies), exc_info=error)

    async def _add(self, tallies: Tallies) -> None:
        paths = {name: self._paths.audit_event(name) for name in tallies}
        stored = (await self._firestore.read(paths.values())).documents
        writes = [
            Update(path=path, fields={"details": details}, unchanged_since=document.update_time)
            for name, path in paths.items()
            if (document := stored[path]) is not None and (details := _added(document, *tallies[name])) is not None
        ]
        if writes:
            await self._firestore.commit(writes)


def _added(denial: Document, number: int, last_attempt_at: datetime) -> dict[str, Any] | None:
    """The denial's details with these attempts; ``None`` if it has them already, or if somebody edited it."""
    before, details = attempts_from(denial, now=last_attempt_at), denial.fields.get("details")
    if before is None or not isinstance(details, dict):
        return None
    last = details.get("last_attempt_at")
    if last == last_attempt_at:  # written by a commit whose answer was lost
        return None
    latest = max(last, last_attempt_at) if isinstance(last, datetime) else last_attempt_at
    return {**details, "attempts": before.number + number, "last_attempt_at": latest}
