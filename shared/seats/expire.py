"""Expire: ends the lapsed sessions of all organizations.

A run finds them through the sharded index, oldest first, page by page, and ends them organization by organization. If
another request ends or extends a session first, the commit fails. The run then reads again and leaves that session out.
Nothing is kept between runs. So a run may be repeated, run twice at the same time, or be killed, without harm.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from shared.documents import queries
from shared.documents.organizations import MAX_ORGANIZATIONS, Run, by_organization, each_organization, next_page
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import session_from
from shared.documents.writing import EXPIRY_SHARDS
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore
from shared.firestore.errors import StoreError
from shared.firestore.query import Query
from shared.firestore.retry import read_with_retry, retrying
from shared.rules.audit import SYSTEM
from shared.rules.expire import expire
from shared.rules.session import Session
from shared.seats.endings import Ending, ending_writes
from shared.seats.given_up_places import GivenUpPlaces

logger = logging.getLogger(__name__)

PAGE = 250
"""Sessions read at a time from each shard."""

MAX_ENDINGS = 200
"""The most sessions of one organization that one commit ends. Each takes two writes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpiryReport:
    """What a run did. ``sessions_left`` counts the sessions that it should have ended and did not."""

    sessions_ended: int
    sessions_left: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    now: datetime


class _ExpiryRun(Run):
    def __init__(self, within: timedelta, *, start: datetime) -> None:
        super().__init__(within)
        self.start = start
        self.now = start
        self.has_unreadable = False


class Expiries:
    """Ends the lapsed sessions of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy, *, run_within: timedelta) -> None:
        """A run begins nothing new after ``run_within``."""
        self._firestore = firestore
        self._policy = policy
        self._run_within = run_within
        self._places = GivenUpPlaces(firestore, policy.retention, organization_within=policy.answer_within)

    async def expire(self) -> ExpiryReport:
        """End every session that lapsed after ``lapsed_since``, then tidy the line, until the time is up.

        It may run again, and twice at the same time.

        Raises:
            StoreUnavailable: Firestore did not answer. Some sessions may have ended, each as a whole.
        """
        run = _ExpiryRun(self._run_within, start=(await read_with_retry(self._firestore.now)).now)
        shards = _shards(run, limit=PAGE)
        while shards and run.may_begin():
            pages = await asyncio.gather(
                *(read_with_retry(partial(self._firestore.select, ALL_ORGANIZATIONS, shard)) for shard in shards)
            )
            await each_organization(
                by_organization(chain.from_iterable(pages), collection="sessions"),
                lambda paths, lapsed: self._expire_in(paths, lapsed, run),
                at_once=MAX_ORGANIZATIONS,
            )
            shards = list(filter(None, map(next_page, shards, pages)))
            if shards:
                # Read again for every page, so that the time of an end is close to that of its commit.
                run.now = (await read_with_retry(self._firestore.now)).now
        await self._places.tidy(run, since=lapsed_since(run.start), now=run.start)
        return await self._report(run)

    async def _expire_in(self, paths: OrganizationPaths, lapsed: Sequence[Document], run: _ExpiryRun) -> None:
        with run.isolated(paths):
            for begin in range(0, len(lapsed), MAX_ENDINGS):
                if not run.may_begin():
                    return
                ended = await self._expire_some(paths, lapsed[begin : begin + MAX_ENDINGS], run)
                run.ended[paths.organization_id] += ended

    async def _expire_some(self, paths: OrganizationPaths, lapsed: Sequence[Document], run: _ExpiryRun) -> int:
        try:
            return await self._end(paths, lapsed, run, now=run.now)
        except StoreError:
            # Another write came first, or it is not known whether the commit was written. Read again and decide anew.
            again = retrying(within=self._policy.answer_within)(self._read_and_end)
            ended: int = await again(paths, [document.path for document in lapsed], run)
            return ended

    async def _read_and_end(self, paths: OrganizationPaths, session_paths: Sequence[str], run: _ExpiryRun) -> int:
        snapshot = await self._firestore.read(session_paths)
        stored = [document for document in snapshot.documents.values() if document is not None]
        return await self._end(paths, stored, run, now=snapshot.at.now)

    async def _end(
        self, paths: OrganizationPaths, documents: Sequence[Document], run: _ExpiryRun, *, now: datetime
    ) -> int:
        endings = []
        for document in documents:
            session = session_from(document)
            if not isinstance(session, Session):
                # It holds its seat until an admin corrects or deletes it, as it does for an acquire.
                run.has_unreadable = True
                message = "a session cannot be read, so it cannot be ended; correct or delete its document"
                logger.error(message, extra={"document": document.path})
            elif (expired := expire(session, now=now)) is not None:
                endings.append(Ending(session=expired, document=document, actor=SYSTEM))
        if endings:
            await self._firestore.commit(ending_writes(endings, paths, self._policy.retention))
        return len(endings)

    async def _report(self, run: _ExpiryRun) -> ExpiryReport:
        report = ExpiryReport(
            sessions_ended=run.ended.total(),
            sessions_left=await self._count_left(run),
            organizations=sum(1 for ended in run.ended.values() if ended),
            organizations_failed=len(run.failed),
            is_complete=run.is_complete,
            now=run.start,
        )
        is_worth_a_line = report.sessions_ended or report.sessions_left or not report.is_complete
        level = logging.INFO if is_worth_a_line else logging.DEBUG
        message = "lapsed sessions were ended" if report.is_complete else "the time is up; the next run does the rest"
        logger.log(level, message, extra=asdict(report))
        return report

    async def _count_left(self, run: _ExpiryRun) -> int:
        if run.is_complete and not run.failed and not run.has_unreadable:
            return 0
        at = await read_with_retry(self._firestore.now)
        left = (partial(self._firestore.count, ALL_ORGANIZATIONS, shard, at=at) for shard in _shards(run))
        return sum(await asyncio.gather(*map(read_with_retry, left)))


def _shards(run: _ExpiryRun, *, limit: int | None = None) -> list[Query]:
    query = partial(queries.lapsed_everywhere, since=lapsed_since(run.start), now=run.start, limit=limit)
    return [query(shard) for shard in range(EXPIRY_SHARDS)]


def lapsed_since(start: datetime) -> datetime:
    """Where a run begins to look: 15 minutes back, or once an hour at the first of all times.

    Reconcile ends sessions that lapsed earlier too. Its runs may be too short to reach all of them.
    """
    return queries.FIRST if start.minute == 0 else start - queries.LOOKS_BACK
