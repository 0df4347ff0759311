"""The answers of history, as JSON or CSV. The type checker proves that every outcome has one."""

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import Field, WithJsonSchema
from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import PRIVATE, Answer, answer
from shared.edge.history_csv import COLUMNS, as_text, csv_of_days, csv_of_trail, details_of
from shared.edge.history_query import CSV_TYPE, token_of
from shared.edge.refusals import refused
from shared.firestore.group_commit import Answered
from shared.rules.history_summary import History, HistoryOutcome, LicenseHistory, summary
from shared.rules.license import License
from shared.seats.history import TrailEvent, TrailOutcome, TrailPage

_Day = Annotated[date, WithJsonSchema({"type": "string"}, mode="serialization")]
"""A day in UTC: YYYY-MM-DD."""


class WaitsView(Answer):
    """The waits in the line that ended with a seat: half of them, and 95 %, were no longer than so many seconds."""

    count: int
    p50_seconds: int | None
    p95_seconds: int | None


class DayView(Answer):
    """A license's day in UTC, as far as it had passed at ``computed_at``. The lists have a number for each half hour.

    ``seconds_at`` and ``demand_seconds_at`` say for how many seconds so many seats were in use, or in use and wanted.
    """

    date: _Day
    is_settled: bool
    is_complete: bool
    computed_at: Time
    peak_in_use: list[int]
    peak_demand: list[int]
    seats: list[int | None]
    full_seconds: list[int]
    denied_people: list[int]
    seconds_at: dict[int, int]
    demand_seconds_at: dict[int, int]
    seat_seconds: int
    idle_seat_seconds: int
    borrowed_seat_seconds: int
    overdraft_seat_seconds: int
    waits: WaitsView
    people_denied: int
    people_turned_away: int


class SummaryView(Answer):
    """All the days together. ``seats_enough_for`` has for 95, 99 and 100 % of the busy time the seats that it took."""

    peak_in_use: int
    peak_demand: int
    busy_seconds: int
    seat_seconds: int
    people_turned_away: int
    seats_enough_for: dict[int, int | None]
    enough_share: float | None


class LicenseHistoryView(Answer):
    """A license's days, oldest first. A day that was not counted is left out."""

    license_id: str
    name: str | None
    max: int | None
    days: list[DayView]
    summary: SummaryView


class OrganizationNameView(Answer):
    """The organization."""

    organization_id: str
    name: str


class HistoryAnswer(Answer):
    """How the licenses were used, from the first day of the range to the last."""

    organization: OrganizationNameView
    first: Annotated[_Day, Field(serialization_alias="from")]
    last: Annotated[_Day, Field(serialization_alias="to")]
    licenses: list[LicenseHistoryView]
    server_time: Time


class EventView(Answer):
    """An event of the audit trail. What it does not have is null."""

    event_id: str
    at: Time
    type: str
    actor: str | None
    license_id: str | None
    session_id: str | None
    user_id: str | None
    hardware_id: str | None
    details: dict[str, object]


class TrailAnswer(Answer):
    """A page of the audit trail, newest first. A null ``next_page_token`` means the last page."""

    events: list[EventView]
    next_page_token: str | None
    server_time: Time


def answer_history(answered: Answered[HistoryOutcome | TrailOutcome], *, as_csv: bool, per_day: bool) -> Response:
    match answered.outcome:
        case History() as found:
            return _days(found, as_csv=as_csv, per_day=per_day, now=answered.now)
        case TrailPage() as found:
            return _trail(found, as_csv=as_csv, now=answered.now)
        case refusal:
            raise refused(refusal, now=answered.now)


def _days(found: History, *, as_csv: bool, per_day: bool, now: datetime) -> Response:
    organization = found.organization
    if as_csv:
        name = f"{organization.organization_id}_{found.first}_{found.last}_UTC"
        return _download(csv_of_days(found, per_day=per_day), name=name)
    body = HistoryAnswer(
        organization=organization,
        first=found.first,
        last=found.last,
        licenses=[_license_view(each) for each in found.licenses],
        server_time=now,
    )
    return answer(body, headers=PRIVATE)


def _trail(found: TrailPage, *, as_csv: bool, now: datetime) -> Response:
    if as_csv:
        name = f"{found.organization.organization_id}_events_until_{now:%Y-%m-%d}_UTC"
        return _download(csv_of_trail(found.events), name=name)
    body = TrailAnswer(
        events=[_event_view(each) for each in found.events],
        next_page_token=None if found.next_page is None else token_of(*found.next_page),
        server_time=now,
    )
    return answer(body, headers=PRIVATE)


def _download(content: str, *, name: str) -> Response:
    file_name = re.sub(r"[^A-Za-z0-9_.-]", "-", name) + ".csv"
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{file_name}"'}
    return Response(content, media_type=CSV_TYPE, headers=headers)


def _license_view(found: LicenseHistory) -> LicenseHistoryView:
    return LicenseHistoryView(
        license_id=found.license_id,
        name=found.license.name if isinstance(found.license, License) else None,
        max=found.seats,
        days=found.days,
        summary=summary(found.days, seats=found.seats),
    )


def _event_view(event: TrailEvent) -> EventView:
    told = {name: as_text(event.fields.get(name)) for name in COLUMNS}
    type_ = told.pop("type") or ""  # an admin wrote something else than a text
    return EventView(event_id=event.event_id, at=event.at, type=type_, details=details_of(event), **told)
