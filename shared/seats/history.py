"""History: how an organization's licenses were used day by day, and what its audit trail tells."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain

from shared.documents import queries
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.policy import Policy
from shared.documents.reading import license_from, organization_from, user_from
from shared.documents.usage_days import usage_day_from
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.errors import StoreUnavailable
from shared.firestore.group_commit import Answered
from shared.firestore.query import Cursor
from shared.firestore.retry import retry_until
from shared.firestore.values import Fields
from shared.rules.history import DAY, start_of
from shared.rules.history_summary import (
    MAX_HISTORY_DAYS,
    History,
    HistoryOutcome,
    HistoryTooLong,
    LicenseHistory,
)
from shared.rules.organization import Organization
from shared.rules.refusal import CallerRefusal, LicenseNotFound
from shared.rules.usage import refuse_reader

MAX_DAYS = 3_000
"""The most days of all licenses together in one answer: some megabytes."""

DAYS_SHOWN = 30
"""So many days until today are answered if the caller asks for no others."""

MAX_SCANNED = 2_000
"""The most events that are read for one page. More of them are on the next one."""

_READ, _INSTANT = 500, timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryRequest:
    """A caller's request for days, of all licenses or of one. Without dates they are the last ones."""

    user_id: str
    license_id: str | None
    first: date | None
    last: date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrailRequest:
    """A caller's request for a page of audit events: those that have all the given values."""

    user_id: str
    license_id: str | None
    about_user: str | None
    type: str | None
    first: date | None
    last: date | None
    page_size: int
    after: tuple[datetime, str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrailEvent:
    """One audit event, as it is stored."""

    event_id: str
    at: datetime
    fields: Fields


@dataclass(frozen=True, kw_only=True, slots=True)
class TrailPage:
    """Events, newest first. The next page begins behind the time and the id; ``None``: this is the last one."""

    organization: Organization
    events: tuple[TrailEvent, ...]
    next_page: tuple[datetime, str] | None


TrailOutcome = TrailPage | CallerRefusal


class Histories:
    """Reports the history of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy

    async def history(
        self, organization_id: str, request: HistoryRequest | TrailRequest
    ) -> Answered[HistoryOutcome | TrailOutcome]:
        """Report the days of licenses, as they were counted last, or a page of the audit trail.

        Days cost one read for each day and license. A page of the trail may be short, or empty, before the last one.

        Raises:
            StoreUnavailable: Firestore did not answer until the deadline.
        """
        paths, within = OrganizationPaths(organization_id), self._policy.answer_within
        message = "Firestore did not answer before the deadline; asking again is safe"
        report = partial(self._report, paths, request)
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await retry_until(report, StoreUnavailable, within=within, otherwise=message)
        except TimeoutError as error:
            raise StoreUnavailable(message) from error

    async def _report(
        self, paths: OrganizationPaths, request: HistoryRequest | TrailRequest
    ) -> Answered[HistoryOutcome | TrailOutcome]:
        snapshot = await self._firestore.read([paths.organization, paths.user(request.user_id)])
        at, user = snapshot.at, user_from(snapshot.documents[paths.user(request.user_id)])
        organization = organization_from(snapshot.documents[paths.organization])
        refusal = refuse_reader(organization=organization, user=user)
        if refusal is not None:
            return Answered(outcome=refusal, now=at.now)
        assert isinstance(organization, Organization)  # noqa: S101 the refusal leaves nothing else; for the type checker
        if isinstance(request, TrailRequest):
            return Answered(outcome=await self._trail(paths, organization, request, at), now=at.now)
        return Answered(outcome=await self._days(paths, organization, request, at), now=at.now)

    async def _days(
        self, paths: OrganizationPaths, organization: Organization, request: HistoryRequest, at: ReadTime
    ) -> HistoryOutcome:
        first, last = _days_of(request, now=at.now)
        days = [first + number * DAY for number in range((last - first).days + 1)]
        licenses = await self._licenses(paths, request.license_id, at)
        if len(days) * len(licenses) > MAX_DAYS:
            return HistoryTooLong(most_days=MAX_DAYS // len(licenses))
        wanted = {
            license_id: [paths.usage_day(license_id, day) for day in days if can_be_document_id(f"{license_id}~{day}")]
            for license_id in licenses
        }
        stored = await self._read_all(list(chain.from_iterable(wanted.values())), at)
        found = tuple(
            LicenseHistory(
                license_id=license_id,
                license=license_from(license_, self._policy),
                days=tuple(day for path in wanted[license_id] if (day := usage_day_from(stored[path])) is not None),
            )
            for license_id, license_ in licenses.items()
        )
        if request.license_id is not None and not any(each.license or each.days for each in found):
            return LicenseNotFound()
        return History(organization=organization, first=first, last=last, licenses=found)

    async def _licenses(self, paths: OrganizationPaths, only: str | None, at: ReadTime) -> dict[str, Document | None]:
        """The licenses by id. The one that was asked for may have been deleted."""
        if only is not None:
            return {only: (await self._firestore.read([paths.license(only)], at=at)).documents[paths.license(only)]}
        found = await self._firestore.select(paths.organization, queries.all_licenses(), at=at)
        return {each.document_id: each for each in found}

    async def _read_all(self, wanted: Sequence[str], at: ReadTime) -> dict[str, Document | None]:
        parts = [wanted[begin : begin + _READ] for begin in range(0, len(wanted), _READ)]
        read = await asyncio.gather(*(self._firestore.read(part, at=at) for part in parts))
        return {path: document for each in read for path, document in each.documents.items()}

    async def _trail(
        self, paths: OrganizationPaths, organization: Organization, request: TrailRequest, at: ReadTime
    ) -> TrailPage:
        wanted = {
            name: value
            for name, value in (
                ("user_id", request.about_user),
                ("license_id", request.license_id),
                ("type", request.type),
            )
            if value is not None
        }
        query = queries.trail(
            narrowed_by=next(iter(wanted.items()), None),
            after=queries.FIRST if request.first is None else start_of(request.first) - _INSTANT,
            until=at.now if request.last is None else start_of(request.last) + DAY - _INSTANT,
            limit=min(MAX_SCANNED, max(request.page_size, _READ if len(wanted) > 1 else 0)),
        )
        reached, events, scanned = request.after, list[TrailEvent](), 0
        while True:
            cursor = None if reached is None else Cursor(path=paths.audit_event_with_id(reached[1]), value=reached[0])
            page = await self._firestore.select(paths.organization, replace(query, after=cursor), at=at)
            scanned += len(page)
            for document in page:
                reached = document.fields["at"], document.document_id
                if all(document.fields.get(name) == value for name, value in wanted.items()):
                    events.append(TrailEvent(event_id=document.document_id, at=reached[0], fields=document.fields))
                if len(events) == request.page_size:
                    break
            is_last = len(events) < request.page_size and query.limit is not None and len(page) < query.limit
            if is_last or len(events) == request.page_size or scanned >= MAX_SCANNED:
                break
        return TrailPage(organization=organization, events=tuple(events), next_page=None if is_last else reached)


def _days_of(request: HistoryRequest, *, now: datetime) -> tuple[date, date]:
    """The first and the last day: those of the request, or the last ones until today."""
    if request.first is None:
        last = request.last or now.date()
        return last - (DAYS_SHOWN - 1) * DAY, last
    longest = request.first + (MAX_HISTORY_DAYS - 1) * DAY
    return request.first, request.last or max(request.first, min(now.date(), longest))
