"""A day of the history that is true, and the smallest faults in it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.judge.history import AdminEdit, Event, History, Present, Stored
from infra.judge.violation import Kind
from shared.documents.usage_days import usage_day_fields
from shared.rules.history import Records, TenureSeen, usage_day

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def day_of_two_users() -> History:
    """Two users worked on two seats of a license, at the same time for an hour; and the day was counted since."""
    computed_at = AT + 5 * HOUR
    seen = [_tenure("m0", AT, AT + 2 * HOUR), _tenure("m1", AT + HOUR, AT + 3 * HOUR)]
    fields: dict[str, Any] = usage_day_fields(
        usage_day("license-1", AT.date(), Records(tenures=seen), computed_at=computed_at)
    )
    stored = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    written_at = computed_at + timedelta(seconds=30)
    day = Stored(document_id="license-1~2026-03-02", fields=stored, created_at=written_at, updated_at=written_at)
    license_ = AdminEdit(
        collection="licenses",
        document_id="license-1",
        at=AT - HOUR,
        fields={"license_key": "K", "max_concurrent_seats": 2},
    )
    return History(
        organization_id="acme",
        events=tuple(event for number, each in enumerate(seen) for event in _events(each, number)),
        present=Present(read_at=written_at + HOUR, organization=None, usage_days=(day,)),
        edits=(license_,),
    )


def _tenure(user: str, since: datetime, until: datetime) -> TenureSeen:
    return TenureSeen(
        session_id=f"session-of-{user}",
        user_id=user,
        started_at=since,
        last_heartbeat_at=until,
        lease_expires_at=until + HOUR,
        ended_at=until,
    )


def _events(tenure: TenureSeen, number: int) -> Sequence[Event]:
    assert tenure.ended_at is not None
    of_seat: dict[str, Any] = {
        "actor": tenure.user_id,
        "license_id": "license-1",
        "session_id": tenure.session_id,
        "user_id": tenure.user_id,
        "hardware_id": "laptop",
    }
    lease = {"last_heartbeat_at": tenure.last_heartbeat_at, "lease_expires_at": tenure.lease_expires_at}
    return [
        Event(
            event_id=f"start-{number}",
            type="session.acquired",
            at=tenure.started_at,
            committed_at=tenure.started_at,
            grant_number=number + 1,
            details={"seats": {"in_use": number + 1, "max": 2}, "is_overdraft": False, "pool": None},
            **of_seat,
        ),
        Event(
            event_id=f"end-{number}",
            type="session.released",
            at=tenure.ended_at,
            committed_at=tenure.ended_at,
            details={"reason": "released", "started_at": tenure.started_at, "pool": None, **lease},
            **of_seat,
        ),
    ]


def with_day(history: History, **fields: Any) -> History:  # noqa: ANN401 fields of a document
    assert history.present is not None
    (day,) = history.present.usage_days
    changed = replace(day, fields={**day.fields, **fields})
    return replace(history, present=replace(history.present, usage_days=(changed,)))


def a_second_too_many(history: History) -> History:
    return with_day(history, seat_seconds=4 * 3_600 + 1)


def a_user_who_was_not_refused(history: History) -> History:
    return with_day(history, people_denied=1)


def an_end_that_was_lost(history: History) -> History:
    return replace(history, events=tuple(event for event in history.events if event.event_id != "end-0"))


def a_count_of_the_future(history: History) -> History:
    assert history.present is not None
    (day,) = history.present.usage_days
    early = replace(day, updated_at=AT + HOUR)
    return replace(history, present=replace(history.present, usage_days=(early,)))


def a_seat_above_the_cap(history: History) -> History:
    """Both grants tell of one seat, and so does the license."""
    (license_,) = history.edits or ()
    one = {"max": 1, "in_use": 1}
    events = tuple(
        replace(event, details={**event.details, "seats": one}) if "seats" in event.details else event
        for event in history.events
    )
    edit = replace(license_, fields={**(license_.fields or {}), "max_concurrent_seats": 1})
    return replace(history, events=events, edits=(edit,))


SEEDED_DAYS: Sequence[tuple[Kind, Callable[[History], History]]] = (
    (Kind.DAY_MISCOUNTED, a_second_too_many),
    (Kind.DAY_MISCOUNTED, a_user_who_was_not_refused),
    (Kind.DAY_MISCOUNTED, an_end_that_was_lost),
    (Kind.DAY_MISCOUNTED, a_count_of_the_future),
    (Kind.PEAK_ABOVE_CAP, a_seat_above_the_cap),
)
