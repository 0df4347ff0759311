"""Tidies the line: deletes the places that do not count any more, and reports that their users gave up.

Such a place holds up nobody, so nothing depends on when a run comes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from shared.documents import queries
from shared.documents.organizations import Run, work_through
from shared.documents.paths import OrganizationPaths
from shared.documents.reading import place_in_line_from
from shared.documents.writing import Retention, audit_event_write
from shared.firestore.client import Document, Firestore
from shared.firestore.errors import StoreError
from shared.firestore.retry import retrying
from shared.firestore.writes import Delete, Write
from shared.rules.audit import SYSTEM, gave_up
from shared.rules.line import counts, gave_up_because

PAGE = 200
"""The most places that one commit deletes. Each takes two writes."""


class GivenUpPlaces:
    """Deletes the places of all organizations that do not count any more."""

    def __init__(self, firestore: Firestore, retention: Retention, *, organization_within: timedelta) -> None:
        """In one organization it tries again for ``organization_within`` if other requests come first."""
        self._firestore = firestore
        self._retention = retention
        self._retrying = retrying(within=organization_within)

    async def tidy(self, run: Run, *, since: datetime, now: datetime) -> None:
        """Delete every place that stopped counting after ``since``, until the run's time is up.

        Raises:
            StoreUnavailable: Firestore did not answer.
        """
        query = queries.places_given_up(since=since, now=now, limit=PAGE)
        await work_through(self._firestore, query, partial(self._tidy_in, run=run, now=now), run=run)

    async def _tidy_in(self, paths: OrganizationPaths, places: Sequence[Document], *, run: Run, now: datetime) -> None:
        with run.isolated(paths):
            if not run.may_begin():
                return
            try:
                await self._firestore.commit(self._writes(paths, places, now=now))
            except StoreError:
                # A user asked again, left the line, or got a seat. Read again and leave that place out.
                again = self._retrying(self._read_and_tidy)
                await again(paths, [each.path for each in places], now)

    async def _read_and_tidy(self, paths: OrganizationPaths, places: Sequence[str], now: datetime) -> None:
        stored = (await self._firestore.read(places)).documents.values()
        if writes := self._writes(paths, [each for each in stored if each is not None], now=now):
            await self._firestore.commit(writes)

    def _writes(self, paths: OrganizationPaths, places: Sequence[Document], *, now: datetime) -> list[Write]:
        """Delete these places, but for those that count again. One that cannot be read has nothing to report."""
        writes: list[Write] = []
        for document in places:
            place = place_in_line_from(document)
            if place is not None and counts(place, now=now):
                continue
            writes.append(Delete(path=document.path, unchanged_since=document.update_time))
            if place is not None:
                event = gave_up(place, reason=gave_up_because(place), actor=SYSTEM, now=now)
                writes.append(audit_event_write(event, paths, self._retention))
        return writes
