"""Checks without the judge after everything has settled: no open session, counted seat or unpublished event is left."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from infra.judge.history import History
from infra.judge.published import is_due
from infra.judge.tenure import NUMBERED, started_at_of
from shared.rules.audit import ENDS, AuditType


def left_behind(history: History) -> Iterator[str]:
    """Seats that are still held or counted, tenures that are not told once, and events that nobody received."""
    name = history.organization_id
    if history.present is None:
        yield f"{name}: its documents were not read"
        return
    still_open = [each.document_id for each in history.present.sessions if each.fields.get("ended_at") is None]
    if still_open:
        yield f"{name}: sessions are still open although every lease has run out: {still_open}"
    seats = history.present.seats
    if seats is None:
        # Where no seat was ever given nothing was ever counted.
        if any(event.type == AuditType.ACQUIRED for event in history.events):
            yield f"{name}: the counters are missing"
    elif (
        any(seats.fields["by_license"].values())
        or any(any(by_group.values()) for by_group in seats.fields.get("by_pool", {}).values())
        or seats.fields["total"]
    ):
        yield f"{name}: the counters count seats that no session holds: {seats.fields}"
    yield from (f"{name}: {problem}" for problem in _tenures_told_wrongly(history))
    yield from (f"{name}: {problem}" for problem in _places_left(history))
    due = [event for event in history.events if is_due(event, history)]
    unpublished = [event.event_id for event in due if event.published_at is None]
    if unpublished:
        yield f"{name}: {len(unpublished)} events are not published: {unpublished[:5]}"
    received = {message.data["event_id"] for message in history.messages or ()}
    unreceived = [event.event_id for event in due if event.event_id not in received]
    if unreceived:
        yield f"{name}: {len(unreceived)} events did not reach the topic: {unreceived[:5]}"


def _tenures_told_wrongly(history: History) -> Iterator[str]:
    starts, ends = Counter[tuple[str | None, datetime | None]](), Counter[tuple[str | None, datetime | None]]()
    for event in history.events:
        tenure = (event.session_id, started_at_of(event))
        if event.type == AuditType.ACQUIRED:
            starts[tenure] += 1
        elif event.type in ENDS:
            ends[tenure] += 1
    for tenure in starts.keys() | ends.keys():
        if (starts[tenure], ends[tenure]) != (1, 1):
            yield f"the tenure {tenure} has {starts[tenure]} starts and {ends[tenure]} ends"
    numbers = sorted(event.grant_number or 0 for event in history.events if event.type in NUMBERED)
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"the grant numbers have a gap: {len(numbers)} grants, the last has the number {numbers[-1:]}"


def _places_left(history: History) -> Iterator[str]:
    """Each place ends once: its user got a seat, or gave up."""
    begun, ended = Counter[str | None](), Counter[str | None]()
    for event in history.events:
        if event.type == AuditType.QUEUED:
            begun[event.session_id] += 1
        elif event.type == AuditType.GAVE_UP or event.details.get("waited_seconds") is not None:
            ended[event.session_id] += 1
    for session_id in begun.keys() | ended.keys():
        if begun[session_id] != ended[session_id]:
            yield f"{session_id} had {begun[session_id]} places in the line, and {ended[session_id]} ended"
