"""The query of ``GET /v1/history``: the last 30 days, other days, or a page of the audit trail."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from starlette.requests import Request

from shared.documents.paths import can_be_document_id
from shared.edge.requests import ANY_DOCUMENT_ID
from shared.rules.audit import AuditType
from shared.rules.history_summary import MAX_HISTORY_DAYS
from shared.seats.history import MAX_SCANNED, HistoryRequest, TrailRequest

CSV = "text/csv"
CSV_TYPE = f"{CSV}; charset=utf-8"

MAX_PAGE = 500
"""The most events on a page as JSON. As CSV a page has as many as are read for one."""

_DIGITS = 16
TOKEN = rf"^[0-9]{{{_DIGITS}}}\.[A-Za-z0-9]{{1,64}}$"
"""Where a page begins: behind the event at so many microseconds since 1970, with this id."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH, _INSTANT = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def _some_document_id(text: str) -> str:
    if not can_be_document_id(text):
        message = "not an id of a document"
        raise ValueError(message)
    return text


def _written_out(text: object) -> object:
    """Refuse a number, which pydantic takes for the seconds since 1970."""
    if not isinstance(text, str) or _DATE.fullmatch(text) is None:
        message = "not a date as in 2026-03-31"
        raise ValueError(message)
    return text


def _is_within_range(last: date, given: ValidationInfo) -> date:
    first = given.data.get("first")
    if first is not None and not 0 <= (last - first).days < MAX_HISTORY_DAYS:
        message = f"not within {MAX_HISTORY_DAYS} days from the date in from"
        raise ValueError(message)
    return last


_Id = Annotated[str, AfterValidator(_some_document_id), Field(json_schema_extra=ANY_DOCUMENT_ID)]
_Day = Annotated[date, BeforeValidator(_written_out), Field(ge=date(1970, 1, 1), lt=date(2200, 1, 1))]


class HistoryQuery(BaseModel):
    """Query of ``GET /v1/history``. The days are in UTC. ``view=events``: a page of the audit trail, newest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: Annotated[_Day | None, Field(alias="from")] = None
    last: Annotated[Annotated[_Day, AfterValidator(_is_within_range)] | None, Field(alias="to")] = None
    license_id: _Id | None = None
    view: Literal["days", "events"] = "days"
    format: Literal["json", "csv"] | None = None
    per: Literal["half_hour", "day"] = "half_hour"
    user_id: _Id | None = None
    type: AuditType | None = None
    page_size: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100
    page_token: Annotated[str, Field(pattern=TOKEN)] | None = None


def is_csv(request: Request, asked: HistoryQuery) -> bool:
    """Whether the answer is to be CSV. A link cannot set the header, so the query can say it too."""
    if asked.format is not None:
        return asked.format == "csv"
    return CSV in (each.partition(";")[0].strip().lower() for each in request.headers.get("accept", "").split(","))


def history_request(user_id: str, asked: HistoryQuery, *, as_csv: bool) -> HistoryRequest | TrailRequest:
    if asked.view == "days":
        return HistoryRequest(user_id=user_id, license_id=asked.license_id, first=asked.first, last=asked.last)
    return TrailRequest(
        user_id=user_id,
        license_id=asked.license_id,
        about_user=asked.user_id,
        type=None if asked.type is None else asked.type.value,
        first=asked.first,
        last=asked.last,
        page_size=MAX_SCANNED if as_csv else asked.page_size,
        after=None if asked.page_token is None else _read_token(asked.page_token),
    )


def token_of(at: datetime, event_id: str) -> str:
    return f"{(at - _EPOCH) // _INSTANT:0{_DIGITS}}.{event_id}"


def _read_token(token: str) -> tuple[datetime, str]:
    since, _, event_id = token.partition(".")
    return _EPOCH + int(since) * _INSTANT, event_id
