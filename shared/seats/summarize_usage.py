"""Summarize usage: counts how each license was used, today and on the days before that have not settled.

A day is counted whole, each time anew, and written under its name. So it does no harm if a run is doubled, killed, late
or beside another one. A run counts what was decided until ``computed_at``, some time before its reads. All of that is
written by then, so what a day says of the time before never changes.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import partial

from shared.documents import queries
from shared.documents.forms import MAX_BORROW_SECONDS
from shared.documents.organizations import Run, go_round
from shared.documents.paths import OrganizationPaths, can_be_document_id, run_path
from shared.documents.places import Place, place_from
from shared.documents.policy import Policy
from shared.documents.reading import license_from, place_in_line_from, session_from
from shared.documents.recorded import FIELDS_OF_RECORDED, RECORDED, Recorded
from shared.documents.usage_days import usage_day_fields, usage_day_from
from shared.documents.writing import document_write
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.query import Cursor, Query
from shared.firestore.retry import read_with_retry, retrying
from shared.firestore.writes import Create, Update
from shared.rules.audit import AuditType
from shared.rules.denial import SETTLES_FOR
from shared.rules.history import DAY, SETTLES_AFTER, Records, UsageDay, start_of, usage_day
from shared.rules.license import License
from shared.rules.line import MAX_WAIT
from shared.rules.refusal import Unusable

logger = logging.getLogger(__name__)

ROUND = "summarize_usage"

PAGE = 50
"""Organizations looked at before the run's place is remembered."""

DAYS_BACK = 4
"""So many days before today are counted if they are missing: no run may have come for a long weekend."""

COUNTED_UNTIL = timedelta(hours=1)
"""So long after its end a day is counted with each run. Then once more, when it settles."""

MAX_EVENTS = 200_000
"""The most events of an organization that are counted from. An instance has the memory for half as many again. What is
beyond stops one organization, and not the run for all."""

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


class TooManyEventsError(Exception):
    """An organization has more events than one run can hold."""


class _SummarizeRun(Run):
    def __init__(self, within: timedelta) -> None:
        super().__init__(within)
        self.summarized: set[str] = set()
        self.written = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Due:
    """A day of a license that is to be counted, and its document if there is one."""

    license_id: str
    day: date
    stored: Document | None


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
            run.written += await retrying(within=self._policy.answer_within)(self._summarize_once)(paths)
            run.summarized.add(paths.organization_id)

    async def _summarize_once(self, paths: OrganizationPaths) -> int:
        at = await self._firestore.now()
        computed_at = (at.now - SETTLES_FOR).replace(microsecond=0)
        licenses = await self._firestore.select(paths.organization, queries.all_licenses(), at=at)
        due = await self._due(paths, licenses, computed_at=computed_at, at=at)
        if not due:
            return 0
        parsed = {each.document_id: license_from(each, self._policy) for each in licenses}
        known = {license_id: each for license_id, each in parsed.items() if each is not None}
        recorded = await self._recorded(paths, known, first=min(each.day for each in due), at=at)
        counted = (
            _write(paths, each, recorded.get(each.license_id, Records()), computed_at=computed_at) for each in due
        )
        writes = [write for write in counted if write is not None]
        for begin in range(0, len(writes), _WRITES):
            await self._firestore.commit(writes[begin : begin + _WRITES])
        return len(writes)

    async def _due(
        self, paths: OrganizationPaths, licenses: Sequence[Document], *, computed_at: datetime, at: ReadTime
    ) -> list[_Due]:
        """The days to count: of each license that is there, and those of a deleted license that have not settled."""
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
        return [
            _Due(license_id=license_id, day=day, stored=stored[path])
            for path, (license_id, day) in wanted.items()
            if _is_due(usage_day_from(stored[path]), day, computed_at=computed_at)
        ]

    async def _recorded(
        self,
        paths: OrganizationPaths,
        licenses: Mapping[str, License | Unusable],
        *,
        first: date,
        at: ReadTime,
    ) -> Mapping[str, Records]:
        """What the days since ``first`` are counted from."""
        recorded, since, events = Recorded(), start_of(first), 0
        for types, begins_at in ((RECORDED, since - MAX_WAIT), ([AuditType.BORROWED], since - _BORROWED_FOR)):
            query = partial(queries.events_of_types, types, since=begins_at, only_fields=FIELDS_OF_RECORDED)
            after: Cursor | None = None
            while True:
                page = await self._page(paths, query(limit=_EVENTS, after=after), at)
                recorded.add_events(page)
                events += len(page)
                if events > self._max_events:
                    message = f"more than {self._max_events:,} events in the days to count"
                    raise TooManyEventsError(message)
                if len(page) < _EVENTS:
                    break
                after = Cursor(path=page[-1].path, value=page[-1].fields["at"])
        sessions = await self._page(paths, queries.open_sessions(), at)
        recorded.add_open(map(session_from, sessions))
        # Those of the last hours too: an end of a place is reported some time later.
        places = await self._page(paths, queries.places_in_line(now=since - MAX_WAIT), at)
        recorded.add_line(map(place_in_line_from, places))
        return recorded.records(licenses)

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


def _write(paths: OrganizationPaths, due: _Due, records: Records, *, computed_at: datetime) -> Create | Update | None:
    day = usage_day(due.license_id, due.day, records, computed_at=computed_at)
    return document_write(paths.usage_day(due.license_id, due.day), due.stored, usage_day_fields(day))
