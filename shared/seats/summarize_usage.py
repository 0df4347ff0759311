"""Summarize usage: counts how each license was used, today and on the days before that have not settled.

A day is counted whole, each time anew, and written under its name. So it does no harm if a run is doubled, killed, late
or beside another one. A run counts what was decided until ``computed_at``, some time before its reads. All of that is
written by then, so what a day says of the time before never changes.

A day with very many events is given up: it keeps what was counted until then, and its events are read no more. So one
member who leaves many of them stops no other day, and no other organization.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

from shared.documents import queries
from shared.documents.forms import MAX_BORROW_SECONDS
from shared.documents.organizations import Run, go_round, next_page
from shared.documents.paths import OrganizationPaths, can_be_document_id, run_path
from shared.documents.places import Place, place_from
from shared.documents.policy import Policy
from shared.documents.reading import license_from, place_in_line_from, session_from
from shared.documents.recorded import FIELDS_OF_RECORDED, RECORDED, Recorded
from shared.documents.usage_days import usage_day_fields, usage_day_from
from shared.documents.writing import document_write
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.query import Query
from shared.firestore.retry import read_with_retry, retrying
from shared.firestore.writes import Create, Update
from shared.rules.audit import AuditType
from shared.rules.denial import SETTLES_FOR
from shared.rules.history import DAY, MAX_BORROWS, MAX_EVENTS, SETTLES_AFTER, Records, UsageDay, start_of, usage_day
from shared.rules.line import MAX_WAIT

logger = logging.getLogger(__name__)

ROUND = "summarize_usage"

PAGE = 50
"""Organizations looked at before the run's place is remembered."""

DAYS_BACK = 4
"""So many days before today are counted if they are missing: no run may have come for a long weekend."""

COUNTED_UNTIL = timedelta(hours=1)
"""So long after its end a day is counted with each run. Then once more, when it settles."""

_MAX_DAYS = DAYS_BACK + 1
"""A run holds at most the events of so many full days of an organization. An instance has the memory for that."""

_EVENTS, _WRITES = 1_000, 100
"""Events read, and days written, at a time."""

_BORROWED_FOR = timedelta(seconds=MAX_BORROW_SECONDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class SummarizeReport:
    """What a run did."""

    days_written: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    now: datetime


class _SummarizeRun(Run):
    def __init__(self, within: timedelta) -> None:
        super().__init__(within)
        self.summarized: set[str] = set()
        self.written = 0
        self.room_for_many = asyncio.Lock()
        """Of the organizations with very many events, one is counted at a time. More would not fit into the memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Due:
    """A day of a license that is to be counted, and its document if there is one."""

    license_id: str
    day: date
    stored: Document | None

    def given_up(self) -> UsageDay:
        """The day as it was counted last, or as it began. Nothing more is counted."""
        counted = usage_day_from(self.stored)
        if counted is None:
            counted = usage_day(self.license_id, self.day, Records(), computed_at=start_of(self.day))
        return replace(counted, is_settled=True)


class Summaries:
    """Summarizes the usage of all organizations."""

    def __init__(
        self, firestore: Firestore, policy: Policy, *, run_within: timedelta, max_events: int = MAX_EVENTS
    ) -> None:
        """A run begins nothing new after ``run_within``."""
        self._firestore = firestore
        self._policy = policy
        self._run_within = run_within
        self._max_events = max_events

    async def summarize(self) -> SummarizeReport:
        """Count the days of every organization that has a document, until the time is up. It may run again.

        Raises:
            StoreUnavailable: Firestore did not answer. Some of the days are written.
        """
        run = _SummarizeRun(self._run_within)
        snapshot = await read_with_retry(partial(self._firestore.read, [run_path(ROUND)]))
        place = place_from(snapshot.documents[run_path(ROUND)])
        if place is None or place.walk != "organizations":
            place = Place(walk="organizations", began_at=snapshot.at.now)
        walks = {
            "organizations": (
                queries.all_organizations(limit=PAGE),
                lambda paths, _: self._summarize(paths, run),
            )
        }
        await go_round(self._firestore, ROUND, walks, place=place, run=run)
        report = SummarizeReport(
            days_written=run.written,
            organizations=len(run.summarized),
            organizations_failed=len(run.failed),
            is_complete=run.is_complete,
            now=snapshot.at.now,
        )
        message = "usage was summarized" if report.is_complete else "the time is up; the next run goes on"
        logger.info(message, extra=asdict(report))
        return report

    async def _summarize(self, paths: OrganizationPaths, run: _SummarizeRun) -> None:
        if not run.may_begin():
            return
        with run.isolated(paths):
            once = retrying(within=self._policy.answer_within)(self._summarize_once)
            run.written += await once(paths, run)
            run.summarized.add(paths.organization_id)

    async def _summarize_once(self, paths: OrganizationPaths, run: _SummarizeRun) -> int:
        at = await self._firestore.now()
        computed_at = (at.now - SETTLES_FOR).replace(microsecond=0)
        licenses = await self._firestore.select(paths.organization, queries.all_licenses(), at=at)
        due, given_up = await self._due(paths, licenses, computed_at=computed_at, at=at)
        if not due:
            return 0
        parsed = {each.document_id: license_from(each, self._policy) for each in licenses}
        known = {license_id: each for license_id, each in parsed.items() if each is not None}
        async with AsyncExitStack() as held:
            first = min(each.day for each in due)
            alone = partial(held.enter_async_context, run.room_for_many)
            recorded, given_up = await self._recorded(paths, first, given_up, alone=alone, at=at)
            records = recorded.records(known)
            counted = (_counted(each, records, given_up=given_up, computed_at=computed_at) for each in due)
            writes = [write for each, day in counted if (write := _write(paths, each, day)) is not None]
        for begin in range(0, len(writes), _WRITES):
            await self._firestore.commit(writes[begin : begin + _WRITES])
        if lost := [each for each in due if given_up is not None and each.day <= given_up]:
            logger.warning(
                "a day has more events than are counted; it and what was not counted before it are given up",
                extra={"organization_id": paths.organization_id, "day": given_up, "documents": len(lost)},
            )
        return len(writes)

    async def _due(
        self, paths: OrganizationPaths, licenses: Sequence[Document], *, computed_at: datetime, at: ReadTime
    ) -> tuple[list[_Due], date | None]:
        """The days to count, and the latest that was given up.

        They are those of each license that is there, and those of a deleted license that have not settled.
        """
        today = computed_at.date()
        unsettled = await self._firestore.select(paths.organization, queries.unsettled_days(), at=at)
        stored: dict[str, Document | None] = {each.path: each for each in unsettled}
        wanted = {
            paths.usage_day(license_.document_id, day): (license_.document_id, day)
            for license_ in licenses
            for day in (today - number * DAY for number in range(DAYS_BACK + 1))
            if can_be_document_id(f"{license_.document_id}~{day.isoformat()}") and _existed(license_, day)
        }
        missing = [path for path in wanted if path not in stored]
        if missing:
            stored |= (await self._firestore.read(missing, at=at)).documents
        for each in unsettled:
            if (day := usage_day_from(each)) is not None:
                wanted[each.path] = day.license_id, day.date
        known = {path: usage_day_from(stored[path]) for path in wanted}
        due = [
            _Due(license_id=license_id, day=day, stored=stored[path])
            for path, (license_id, day) in wanted.items()
            if _is_due(known[path], day, computed_at=computed_at)
        ]
        given_up = (each.date for each in known.values() if each is not None and each.is_given_up)
        return due, max(given_up, default=None)

    async def _recorded(
        self,
        paths: OrganizationPaths,
        first: date,
        given_up: date | None,
        *,
        alone: Callable[[], Awaitable[None]],
        at: ReadTime,
    ) -> tuple[Recorded, date | None]:
        """What the days since ``first`` are counted from, and the latest day that is given up now or was before.

        The events are read newest first, and none of a day that was given up. A day that has more of them than are
        counted ends the reading: only the days after it are counted.
        """
        recorded, seen = Recorded(), Counter[date]()
        since = start_of(first) - MAX_WAIT
        if given_up is not None:
            since = max(since, start_of(given_up) + DAY)
        query = queries.events_of_types(RECORDED, since=since, limit=_EVENTS, only_fields=FIELDS_OF_RECORDED)
        async for page in self._pages(paths, query, at):
            recorded.add_events(page)
            seen.update(_day_of(each) for each in page)
            if crowded := _crowded(seen, most=self._max_events):
                given_up = crowded
                break
            if seen.total() == _EVENTS:  # the first page, and there are more
                await alone()
        # A seat may have been borrowed long before. That says how it was used, and not that it was.
        lent = queries.events_of_types(
            [AuditType.BORROWED],
            since=start_of(first) - _BORROWED_FOR,
            limit=_EVENTS,
            only_fields=FIELDS_OF_RECORDED,
        )
        borrows = 0
        async for page in self._pages(paths, lent, at):
            recorded.add_events(page)
            borrows += len(page)
            if borrows >= MAX_BORROWS:
                break
        sessions = await self._page(paths, queries.open_sessions(), at)
        recorded.add_open(map(session_from, sessions))
        # Those of the last hours too: an end of a place is reported some time later.
        places = await self._page(paths, queries.places_in_line(now=start_of(first) - MAX_WAIT), at)
        recorded.add_line(map(place_in_line_from, places))
        return recorded, given_up

    async def _pages(self, paths: OrganizationPaths, query: Query, at: ReadTime) -> AsyncIterator[list[Document]]:
        following: Query | None = query
        while following is not None:
            page = await self._page(paths, following, at)
            yield page
            following = next_page(following, page)

    async def _page(self, paths: OrganizationPaths, query: Query, at: ReadTime) -> list[Document]:
        return await read_with_retry(partial(self._firestore.select, paths.organization, query, at=at))


def _existed(license_: Document, day: date) -> bool:
    """Whether the license was there on that day, as far as its document says."""
    created_at = license_.fields.get("created_at")
    return not isinstance(created_at, datetime) or created_at < start_of(day) + DAY


def _is_due(stored: UsageDay | None, day: date, *, computed_at: datetime) -> bool:
    if computed_at <= start_of(day):
        return False
    if stored is None:
        return True
    if stored.is_settled or stored.computed_at >= computed_at:
        return False
    ends_at = start_of(day) + DAY
    return stored.computed_at < ends_at + COUNTED_UNTIL or computed_at >= ends_at + SETTLES_AFTER


def _day_of(event: Document) -> date:
    at = event.fields["at"]
    assert isinstance(at, datetime)  # noqa: S101 the query finds times only; for the type checker
    return at.date()


def _crowded(seen: Counter[date], *, most: int) -> date | None:
    """The latest day that has more events than are counted of a day, or with which a run would hold too many."""
    crowded = [day for day, events in seen.items() if events > most]
    if not crowded and seen.total() > most * _MAX_DAYS:
        crowded = [min(seen)]
    return max(crowded, default=None)


def _counted(
    due: _Due, records: Mapping[str, Records], *, given_up: date | None, computed_at: datetime
) -> tuple[_Due, UsageDay]:
    if given_up is not None and due.day <= given_up:
        return due, due.given_up()
    return due, usage_day(due.license_id, due.day, records.get(due.license_id, Records()), computed_at=computed_at)


def _write(paths: OrganizationPaths, due: _Due, day: UsageDay) -> Create | Update | None:
    return document_write(paths.usage_day(due.license_id, due.day), due.stored, usage_day_fields(day))
