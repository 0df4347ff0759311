"""The documents of the history: one for each license and day."""

from dataclasses import asdict
from datetime import date, timedelta

from pydantic import ValidationError

from shared.documents.forms import UsageDayDocument
from shared.firestore.client import Document
from shared.firestore.values import Plain
from shared.rules.history import UsageDay, Waits, start_of

KEPT_FOR = timedelta(days=762)
"""How long a day is kept before Firestore's TTL policy may delete it: 25 months, so that years can be compared."""


def usage_day_fields(day: UsageDay) -> dict[str, Plain]:
    """All fields of a day. It names no user and no device."""
    return {
        "license_id": day.license_id,
        "date": day.date.isoformat(),
        "peak_in_use": day.peak_in_use,
        "peak_demand": day.peak_demand,
        "seats": day.seats,
        "full_seconds": day.full_seconds,
        "denied_people": day.denied_people,
        "seconds_at": {str(level): seconds for level, seconds in day.seconds_at.items()},
        "demand_seconds_at": {str(level): seconds for level, seconds in day.demand_seconds_at.items()},
        "seat_seconds": day.seat_seconds,
        "idle_seat_seconds": day.idle_seat_seconds,
        "borrowed_seat_seconds": day.borrowed_seat_seconds,
        "overdraft_seat_seconds": day.overdraft_seat_seconds,
        "waits": asdict(day.waits),
        "people_denied": day.people_denied,
        "people_turned_away": day.people_turned_away,
        "computed_at": day.computed_at,
        "is_settled": day.is_settled,
        "purge_at": start_of(day.date) + KEPT_FOR,
    }


def usage_day_from(document: Document | None) -> UsageDay | None:
    """Read a day; ``None`` if there is none, or an edit by hand made it unusable or another day's."""
    if document is None:
        return None
    try:
        form = UsageDayDocument.model_validate(document.fields)
        day = date.fromisoformat(form.date)
    except (ValidationError, ValueError):
        return None
    if document.document_id != f"{form.license_id}~{form.date}":
        return None
    return UsageDay(
        license_id=form.license_id,
        date=day,
        peak_in_use=tuple(form.peak_in_use),
        peak_demand=tuple(form.peak_demand),
        seats=tuple(form.seats),
        full_seconds=tuple(form.full_seconds),
        denied_people=tuple(form.denied_people),
        seconds_at=_by_level(form.seconds_at),
        demand_seconds_at=_by_level(form.demand_seconds_at),
        seat_seconds=form.seat_seconds,
        idle_seat_seconds=form.idle_seat_seconds,
        borrowed_seat_seconds=form.borrowed_seat_seconds,
        overdraft_seat_seconds=form.overdraft_seat_seconds,
        waits=Waits(count=form.waits.count, p50_seconds=form.waits.p50_seconds, p95_seconds=form.waits.p95_seconds),
        people_denied=form.people_denied,
        people_turned_away=form.people_turned_away,
        computed_at=form.computed_at,
        is_settled=form.is_settled,
    )


def _by_level(seconds_at: dict[str, int]) -> dict[int, int]:
    """The levels in their order. Firestore gives the fields of a map in the order of their names."""
    return {level: seconds_at[str(level)] for level in sorted(map(int, seconds_at))}
