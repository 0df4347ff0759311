"""Relay: publishes each audit event to the topic at least once and stamps it. No request for a seat waits for that.

::

    committed          published           stamped
        |-- unpublished --|-- published, ---|-- published_at is set, unpublished_shard is gone
                             but no stamp: may be published once more

A denial counts the attempts of a minute. It is published once, when nothing more can be added to it::

    10:15:00                    10:16:00              10:16:30       the next run
        |-- attempts are counted --|-- the last are written --|-- waits --|-- published, with its final number
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from random import sample

from google.api_core.exceptions import RetryError

from shared.audit.message import AuditMessage, message_from
from shared.audit.topic import Topic
from shared.documents import queries
from shared.documents.organizations import (
    MAX_ORGANIZATIONS,
    Run,
    by_organization,
    each_organization,
    every_organization,
    next_page,
    walk,
)
from shared.documents.paths import OrganizationPaths
from shared.documents.writing import is_published, published_write
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore
from shared.firestore.errors import Conflict, MessageRejected, TopicUnavailable
from shared.firestore.query import Query
from shared.firestore.retry import read_with_retry, retrying
from shared.rules.audit import AuditType
from shared.rules.denial import SETTLES_FOR, WINDOW_FOR
from shared.rules.refusal import Unusable

logger = logging.getLogger(__name__)

LEFT_BEHIND_AFTER = WINDOW_FOR + SETTLES_FOR
"""A denial is published this long after its ``at``. Any other event that is unpublished by then counts as left behind:
the function that its commit triggered has failed."""

LOOKS_BACK_FOR = timedelta(days=1)
"""A run looks no further back, so that it does not pass what published events left in the index. Only the run in minute
0 of each hour looks at everything."""

PAGE = 500
"""The most events that are read at a time and published in one request. Pub/Sub takes 1,000, and 10 MB."""

_Waiting = dict[OrganizationPaths, Query]
"""The organizations that may have more events, each with the query for its next page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RelayReport:
    """What a run did. ``events_left`` counts the events that it looked for and that are still unpublished.

    It includes events that cannot be read, and documents of other collections with the same name.
    """

    events_published: int
    events_left: int
    organizations_failed: int
    is_complete: bool
    is_topic_available: bool


class _RelayRun(Run):
    def __init__(self, within: timedelta, *, start: datetime) -> None:
        super().__init__(within)
        self.start = start
        self.published = 0
        self.is_topic_available = True


class Relays:
    """Publishes the audit events of all organizations."""

    def __init__(self, firestore: Firestore, topic: Topic, *, answer_within: timedelta, run_within: timedelta) -> None:
        """Relay one event within ``answer_within``. A run begins nothing new after ``run_within``."""
        self._firestore = firestore
        self._topic = topic
        self._answer_within = answer_within
        self._run_within = run_within

    async def relay(self, path: str) -> None:
        """Publish the audit event at this path unless it is stamped as published. A retry is safe.

        A denial is left alone: it still counts. A path of another document, and an event that cannot be read, are
        logged and ignored: a retry would not help.

        Raises:
            TopicError: Pub/Sub did not confirm. The event is unpublished, or published without a stamp.
            StoreUnavailable: Firestore did not answer. The event is unpublished, or published without a stamp.
        """
        located = OrganizationPaths.of(path)
        if located is None or located.collection != "audit_events":
            logger.error("an event for a document that is not an audit event; it is ignored", extra={"document": path})
            return
        try:
            async with asyncio.timeout(self._answer_within.total_seconds()):
                snapshot = await self._firestore.read([path])
                document = snapshot.documents[path]
                if document is None:
                    logger.info("an audit event was deleted before it was published", extra={"document": path})
                elif document.fields.get("type") != AuditType.DENIED:
                    await self._publish([document], now=snapshot.at.now)
        except (RetryError, TimeoutError) as error:
            message = "an audit event could not be published and stamped in time; asking again is safe"
            raise TopicUnavailable(message) from error

    async def relay_left_behind(self) -> RelayReport:
        """Publish the denials that count no more and the events left behind, oldest first, until the time is up.

        After each full page every organization has a turn of one page. So those of one organization, however many,
        delay no other's.

        Raises:
            StoreUnavailable: Firestore did not answer. Some events may be published already.
        """
        start = (await read_with_retry(self._firestore.now)).now
        run = _RelayRun(self._run_within, start=start)
        unpublished = partial(
            queries.unpublished_events,
            before=start - LEFT_BEHIND_AFTER,
            after=None if start.minute == 0 else start - LOOKS_BACK_FOR,
        )
        waiting: _Waiting | None = None
        async for page in walk(self._firestore, unpublished(limit=PAGE)):
            await each_organization(
                by_organization(page, collection="audit_events"),
                lambda paths, events: self._publish_left_behind(paths, events, run),
                at_once=MAX_ORGANIZATIONS,
            )
            if not run.is_complete:
                break
            if len(page) == PAGE:
                if waiting is None:
                    waiting = await self._all_waiting(unpublished(everywhere=False, limit=PAGE))
                waiting = await self._take_turns(waiting, run)
        at = await read_with_retry(self._firestore.now)
        report = RelayReport(
            events_published=run.published,
            events_left=await read_with_retry(partial(self._firestore.count, ALL_ORGANIZATIONS, unpublished(), at=at)),
            organizations_failed=len(run.failed),
            is_complete=run.is_complete,
            is_topic_available=run.is_topic_available,
        )
        level = logging.INFO if report.events_published or report.events_left else logging.DEBUG
        logger.log(level, "a run of the relay is over", extra=asdict(report))
        return report

    async def _all_waiting(self, query: Query) -> _Waiting:
        organizations = await every_organization(self._firestore)
        # In another order each time: a run may end before the last ones had their turn.
        return dict.fromkeys(sample(organizations, len(organizations)), query)

    async def _take_turns(self, waiting: _Waiting, run: _RelayRun) -> _Waiting:
        """Publish one page of each organization. Returns those that may have more."""
        after: _Waiting = {}

        async def take(paths: OrganizationPaths, _: Sequence[Document]) -> None:
            if not run.may_begin():
                return
            with run.isolated(paths):
                page = await read_with_retry(partial(self._firestore.select, paths.organization, waiting[paths]))
                await self._publish_left_behind(paths, page, run)
                if (following := next_page(waiting[paths], page)) is not None:
                    after[paths] = following

        await each_organization(dict.fromkeys(waiting, ()), take, at_once=MAX_ORGANIZATIONS)
        return after

    async def _publish_left_behind(self, paths: OrganizationPaths, events: Sequence[Document], run: _RelayRun) -> None:
        if not run.may_begin():
            return
        with run.isolated(paths):
            try:
                published = await self._publish(events, now=run.start)
            except TopicUnavailable:
                # All organizations share the topic, so nothing more is begun.
                logger.exception("the topic does not answer; the next run publishes the rest")
                run.is_topic_available = run.is_complete = False
            else:
                run.published += published

    async def _publish(self, events: Sequence[Document], *, now: datetime) -> int:
        """Publish and stamp the unpublished events among these of one organization. Returns how many were published."""
        messages: list[AuditMessage] = []
        readable: list[Document] = []
        for event in events:
            if is_published(event):
                continue
            message = message_from(event)
            if isinstance(message, Unusable):
                fields = ", ".join(message.fields)
                logger.error(
                    "an audit event cannot be read, so it is not published; correct or delete its document",
                    extra={"document": event.path, "fields": fields},
                )
                continue
            messages.append(message)
            readable.append(event)
        rejected = await self._send(messages)
        await self._stamp([event for event in readable if event.document_id not in rejected], now=now)
        return len(messages) - len(rejected)

    async def _send(self, messages: Sequence[AuditMessage]) -> set[str]:
        """Publish the messages. Returns the ids of those that Pub/Sub refuses; the others are published."""
        if not messages:
            return set()
        try:
            await self._topic.publish(messages)
        except MessageRejected:
            if len(messages) == 1:
                logger.exception("Pub/Sub refuses an audit event", extra={"event_id": messages[0].event_id})
                return {messages[0].event_id}
            middle = len(messages) // 2
            return await self._send(messages[:middle]) | await self._send(messages[middle:])
        return set()

    async def _stamp(self, events: Sequence[Document], *, now: datetime) -> None:
        try:
            await self._commit_stamps(events, now)
        except Conflict:
            # Another instance stamped one of them, or it was changed or deleted. The others still need their stamps.
            again = retrying(Conflict, within=self._answer_within)(self._stamp_unchanged)
            await again(events, now)

    async def _stamp_unchanged(self, published: Sequence[Document], now: datetime) -> None:
        """Stamp the events that still are what was published. The next run publishes the others, as they are then.

        So an attempt that was added to a denial meanwhile is not lost.
        """
        stored = (await self._firestore.read([event.path for event in published])).documents
        unchanged = [
            found
            for event in published
            if (found := stored[event.path]) is not None
            and not is_published(found)
            and message_from(found) == message_from(event)
        ]
        await self._commit_stamps(unchanged, now)

    async def _commit_stamps(self, events: Sequence[Document], now: datetime) -> None:
        if events:
            await self._firestore.commit([published_write(event, now=now) for event in events])
