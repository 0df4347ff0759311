"""A day of the history says what the trail and the sessions say: it is counted again, and compared.

The days are counted again from all that is known now, up to the time until which they were counted. Nothing that comes
later changes that part, but for sessions that an admin ends, changes or deletes by hand. What such an edit may explain
is left out. A day is also compared with the caps: no more seats were in use at a time than a grant among them allows.

A day that was given up says what was counted until then. It must have been given up for its many events.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields as fields_of
from datetime import date, datetime

from infra.judge.admin_edits import AdminEdits
from infra.judge.cap import max_of
from infra.judge.history import Event, History, Present, Stored
from infra.judge.tenure import Tenure, is_open, moment, started_at_of
from infra.judge.terms import Terms
from infra.judge.violation import Kind, Violation
from shared.documents.reading import place_in_line_from, session_from
from shared.documents.recorded import RECORDED, Recorded
from shared.documents.usage_days import usage_day_from
from shared.firestore.client import Document
from shared.rules.audit import CONSOLE, ENDS, ERASED, AuditType
from shared.rules.history import (
    DAY,
    HALF_HOUR,
    MAX_BORROWS,
    MAX_EVENTS,
    Records,
    UsageDay,
    start_of,
    usage_day,
)
from shared.rules.line import MAX_WAIT

_OF_CAPS = {"seats", "full_seconds", "overdraft_seat_seconds"}
_OF_PEOPLE = {"denied_people", "people_denied", "people_turned_away"}
_OF_WAITS = {"peak_demand", "demand_seconds_at", "waits", "people_turned_away"}
_OF_BORROWS = {"borrowed_seat_seconds", "idle_seat_seconds"}


def violations(history: History, tenures: Sequence[Tenure], terms: Terms) -> Iterator[Violation]:
    """Check each day that the trail covers."""
    present, edits = history.present, AdminEdits(history.edits)
    if present is None or edits.changed_any:
        return
    records = _records(history, present)
    parsed = [(each, usage_day_from(_document(each.document_id, each.fields))) for each in present.usage_days]
    given_up = {day.date for _, day in parsed if day is not None and day.is_given_up}
    for stored, day in parsed:
        if day is None or not _is_covered(day, history) or _was_edited_since(day, stored, history):
            continue
        skipped = _skipped(day, history, given_up)
        for kind, message in (
            *_given_up(day, history),
            *_miscounted(day, stored, records.get(day.license_id, Records()), skipped),
            *_above_caps(day, tenures, terms, _deletions(history, day.license_id)),
        ):
            yield Violation(
                kind=kind,
                organization_id=history.organization_id,
                at=day.computed_at,
                message=f"{stored.document_id}: {message}",
                is_certain=edits.known,
            )


def _was_edited_since(day: UsageDay, stored: Stored, history: History) -> bool:
    """Whether the end of one of its tenures by hand was noticed only after the day was written."""
    return any(
        event.type in ENDS
        and event.actor == CONSOLE
        and moment(event) > stored.updated_at
        and (started_at_of(event) or event.at) < day.computed_at
        for event in history.events
    )


def _is_covered(day: UsageDay, history: History) -> bool:
    """Whether the trail has all that the day was counted from."""
    return history.begins_at is None or history.begins_at < start_of(day.date) - MAX_WAIT


def _records(history: History, present: Present) -> Mapping[str, Records]:
    recorded = Recorded()
    recorded.add_events(_document(event.event_id, _fields(event)) for event in history.events)
    recorded.add_open(
        session_from(_document(each.document_id, each.fields)) for each in present.sessions if is_open(each)
    )
    recorded.add_line(place_in_line_from(_document(each.document_id, each.fields)) for each in present.places)
    return recorded.records({})


def _fields(event: Event) -> dict[str, object]:
    return {
        "type": event.type,
        "at": event.at,
        "license_id": event.license_id,
        "session_id": event.session_id,
        "user_id": event.user_id,
        "details": event.details,
    }


def _document(document_id: str, fields: Mapping[str, object]) -> Document:
    return Document(path=document_id, fields={**fields}, update_time=None)


def _given_up(day: UsageDay, history: History) -> Iterator[tuple[Kind, str]]:
    """A day is given up for its own events, or for those of a day after it through which a run did not get."""
    events = sum(event.type in RECORDED and event.at >= start_of(day.date) for event in history.events)
    if day.is_given_up and events <= MAX_EVENTS:
        yield Kind.DAY_MISCOUNTED, f"it was given up, but the trail has only {events:,} events since its beginning"


def _skipped(day: UsageDay, history: History, given_up: set[date]) -> set[str]:
    """The numbers that are not compared.

    The present cap is not known for the time of the count. So the numbers that need a cap are left to ``_above_caps``,
    and those of people who were erased since are not compared. A run reads no event of a day that was given up, so it
    knows no wait that began there. It does not read all of very many borrows.
    """
    borrows = sum(event.type == AuditType.BORROWED and event.at < day.computed_at for event in history.events)
    return {
        *_OF_CAPS,
        *(_OF_PEOPLE if any(event.user_id == ERASED for event in history.events) else ()),
        *({"is_settled"} if day.is_given_up else ()),
        *(_OF_WAITS if day.date - DAY in given_up else ()),
        *(_OF_BORROWS if borrows > MAX_BORROWS else ()),
    }


def _miscounted(day: UsageDay, stored: Stored, records: Records, skipped: set[str]) -> Iterator[tuple[Kind, str]]:
    """Compare what the day says with what is counted now."""
    again = usage_day(day.license_id, day.date, records, computed_at=day.computed_at)
    for name in (field.name for field in fields_of(UsageDay) if field.name not in skipped):
        told, counted = getattr(day, name), getattr(again, name)
        if told != counted:
            yield Kind.DAY_MISCOUNTED, f"{name} is {told}, but the trail and the sessions say {counted}"
    if stored.fields.get("computed_at") is not None and day.computed_at > stored.updated_at:
        yield Kind.DAY_MISCOUNTED, "it says that it counted until a time after it was written"


def _above_caps(
    day: UsageDay, tenures: Sequence[Tenure], terms: Terms, deletions: Sequence[tuple[datetime, datetime]]
) -> Iterator[tuple[Kind, str]]:
    """Sessions above a lowered cap go on. So the highest cap counts under which one of the seats was given.

    A deleted session counts until its end was noticed, while its seat was given again. Beside one nothing is compared.
    """
    own = [each for each in tenures if each.license_id == day.license_id]
    for number, peak in enumerate(day.peak_in_use):
        since = start_of(day.date) + number * HALF_HOUR
        until = min(since + HALF_HOUR, day.computed_at)
        if any(began < until and noticed > since for began, noticed in deletions):
            continue
        allowed = [_allowed(each, terms) for each in own if each.started_at < until and each.closes_by > since]
        known = [each for each in allowed if each is not None]
        if len(known) == len(allowed) and peak > (most := max(known, default=0)):
            yield (
                Kind.PEAK_ABOVE_CAP,
                f"{peak} seats in use since {since.isoformat()}, of at most {most} that were given",
            )


def _deletions(history: History, license_id: str) -> list[tuple[datetime, datetime]]:
    """When sessions began that an admin deleted, and when that was noticed. The event of such an end has no lease.

    The user may have taken a seat again meanwhile, so the tenures do not show it.
    """
    return [
        (started_at_of(event) or event.at, event.at)
        for event in history.events
        if event.type in ENDS
        and event.actor == CONSOLE
        and event.license_id == license_id
        and event.details.get("lease_expires_at") is None
    ]


def _allowed(tenure: Tenure, terms: Terms) -> int | None:
    """How many seats the grant of a tenure allowed; ``None`` if that is not known."""
    if not tenure.starts:
        return None
    cap, overdraft = max_of(tenure.starts[0], "seats"), terms.overdraft(tenure.starts[0])
    return None if cap is None or overdraft is None else cap + overdraft
