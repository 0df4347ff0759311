"""The history as CSV (RFC 4180), for a spreadsheet: UTF-8 with a byte order mark, and times with their offset."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO
from operator import attrgetter

from shared.documents.rfc3339 import rfc3339
from shared.rules.history import DAY, HALF_HOUR, HALF_HOURS, UsageDay, start_of
from shared.rules.history_summary import History
from shared.rules.license import License
from shared.seats.history import TrailEvent

_BYTE_ORDER_MARK = "\ufeff"
"""Without it, spreadsheets take UTF-8 for something else."""

_FORMULA = re.compile(r"(^|[;\t\r\n])(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
"""A spreadsheet would run what a cell holds that begins so, with the signs of East Asian texts too. Where the comma is
the decimal sign, it begins another cell behind each semicolon, whatever quotation marks say. Source: OWASP, "CSV
Injection".
"""

_OF_LICENSE = ("license_id", "license_name", "begins_at", "ends_at")
_IN_BOTH = ("peak_in_use", "peak_demand", "seats", "full_seconds")
_OF_HALF_HOUR = (*_IN_BOTH, "denied_people")
_OF_COUNT = ("computed_at", "is_settled", "is_complete")
_OF_DAY = (
    *("seat_seconds", "idle_seat_seconds", "borrowed_seat_seconds", "overdraft_seat_seconds"),
    *("waits.count", "waits.p50_seconds", "waits.p95_seconds", "people_denied", "people_turned_away"),
    *_OF_COUNT,
)
_PER_HALF_HOUR = (*_OF_LICENSE, *_OF_HALF_HOUR, *_OF_COUNT)
_PER_DAY = (*_OF_LICENSE, *_IN_BOTH, *(name.replace(".", "_") for name in _OF_DAY))
COLUMNS = ("type", "actor", "license_id", "session_id", "user_id", "hardware_id")
"""The fields of an event that have a column of their own."""

Cell = str | int | bool | datetime | None


def csv_of_days(history: History, *, per_day: bool) -> str:
    """A row for each license and half hour that has begun, or for each license and day."""
    rows = (
        (*_named(each.license_id, each.license), *row)
        for each in history.licenses
        for day in each.days
        for row in ([_whole_day(day)] if per_day else _half_hours(day))
    )
    return _csv(_PER_DAY if per_day else _PER_HALF_HOUR, rows)


def csv_of_trail(events: Iterable[TrailEvent]) -> str:
    """A row for each event. Its details are JSON."""
    rows = (
        (
            each.event_id,
            each.at,
            *(as_text(each.fields.get(name)) for name in COLUMNS),
            json.dumps(details_of(each), ensure_ascii=False),
        )
        for each in events
    )
    return _csv(("event_id", "at", *COLUMNS, "details"), rows)


def as_text(value: object) -> str | None:
    """A text of an event; ``None`` if it has none, or an admin wrote something else."""
    return value if isinstance(value, str) else None


def details_of(event: TrailEvent) -> dict[str, object]:
    """The details of an event as JSON has them."""
    details = event.fields.get("details")
    return {str(name): _plain(value) for name, value in details.items()} if isinstance(details, Mapping) else {}


def _plain(value: object) -> object:
    match value:
        case datetime():
            return rfc3339(value)
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case str() | int() | float() | bool() | None:
            return value
        case _:
            return None  # bytes or the like, typed in by hand


def _named(license_id: str, license_: object) -> tuple[str, str | None]:
    return license_id, license_.name if isinstance(license_, License) else None


def _half_hours(day: UsageDay) -> Iterator[tuple[Cell, ...]]:
    of_half_hour, of_count = attrgetter(*_OF_HALF_HOUR)(day), attrgetter(*_OF_COUNT)(day)
    for number in range(HALF_HOURS):
        begins_at = start_of(day.date) + number * HALF_HOUR
        if begins_at >= day.computed_at:
            break
        yield (begins_at, begins_at + HALF_HOUR, *(each[number] for each in of_half_hour), *of_count)


def _whole_day(day: UsageDay) -> tuple[Cell, ...]:
    begins_at = start_of(day.date)
    seats = max((cap for cap in day.seats if cap is not None), default=None)
    in_both = (max(day.peak_in_use), max(day.peak_demand), seats, sum(day.full_seconds))
    return (begins_at, begins_at + DAY, *in_both, *attrgetter(*_OF_DAY)(day))


def _csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    written = StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(each) for each in row] for row in rows)
    return _BYTE_ORDER_MARK + written.getvalue()


def _cell(value: Cell) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat()
        case str():
            return _FORMULA.sub(r"\1'", value)
        case _:
            return str(value)
