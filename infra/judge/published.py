"""Every committed event reached the topic at least once and unchanged, and nothing else did."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from infra.judge.events import published_form
from infra.judge.history import Event, History
from infra.judge.violation import Kind, Violation
from shared.audit.message import FINAL
from shared.rules.audit import AuditType


def violations(history: History) -> Iterator[Violation]:
    """Compare the messages with the events."""
    if history.messages is None:
        return
    events = {event.event_id: event for event in history.events}
    received: set[str] = set()
    for message in history.messages:
        name = str(message.data.get("event_id"))
        event = events.get(name.removesuffix(FINAL))
        if event is None:
            if not _is_from_before(message.data, history.begins_at):
                yield _violation(Kind.PUBLISHED_UNCOMMITTED, history, f"{name} was published, but no document has it")
            continue
        received.add(event.event_id)
        form = published_form(event, history.organization_id)
        if form is not None and not _fits(message.data, form, event):
            yield _violation(
                Kind.PUBLISHED_DIFFERENTLY, history, f"{name} was published as {dict(message.data)}", event
            )
    for event in history.events:
        is_due = history.is_settled or event.published_at is not None
        if is_due and event.event_id not in received:
            yield _violation(Kind.UNPUBLISHED, history, f"{event.event_id} did not reach the topic", event)


def _fits(data: Mapping[str, Any], form: Mapping[str, Any], event: Event) -> bool:
    """Whether a message is the event's published form. A denial may have been published with a lower count."""
    if event.type != AuditType.DENIED:
        return data == form
    if str(data.get("event_id")).endswith(FINAL):
        return data == {**form, "event_id": f"{event.event_id}{FINAL}"}
    then, now = data.get("details"), form["details"]
    return (
        {**data, "details": None} == {**form, "details": None}
        and isinstance(then, dict)
        and then.keys() == now.keys()
        and then["is_final"] is False
        and then["attempts"] <= now["attempts"]
    )


def _is_from_before(data: Mapping[str, Any], begins_at: datetime | None) -> bool:
    return begins_at is not None and datetime.fromisoformat(str(data.get("at"))) <= begins_at


def _violation(kind: Kind, history: History, message: str, event: Event | None = None) -> Violation:
    return Violation(
        kind=kind,
        organization_id=history.organization_id,
        at=None if event is None else event.at,
        message=message,
        events=() if event is None else (event,),
    )
