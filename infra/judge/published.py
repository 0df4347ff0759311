"""Every committed event reached the topic at least once and unchanged, and nothing else did.

A denial is published with its final number, so its message has the number that the document has.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from infra.judge.events import published_form
from infra.judge.history import Event, History
from infra.judge.violation import Kind, Violation
from shared.audit.relay import LEFT_BEHIND_AFTER
from shared.rules.audit import AuditType

_NEXT_RUN_WITHIN = timedelta(minutes=1)
"""``expire_sessions`` runs every minute."""


def violations(history: History) -> Iterator[Violation]:
    """Compare the messages with the events."""
    if history.messages is None:
        return
    events = {event.event_id: event for event in history.events}
    received: set[str] = set()
    for message in history.messages:
        name = str(message.data.get("event_id"))
        event = events.get(name)
        if event is None:
            if not _is_from_before(message.data, history.begins_at):
                yield _violation(Kind.PUBLISHED_UNCOMMITTED, history, f"{name} was published, but no document has it")
            continue
        received.add(event.event_id)
        form = published_form(event, history.organization_id)
        if form is not None and message.data != form:
            yield _violation(
                Kind.PUBLISHED_DIFFERENTLY, history, f"{name} was published as {dict(message.data)}", event
            )
    for event in history.events:
        if is_due(event, history) and event.event_id not in received:
            yield _violation(Kind.UNPUBLISHED, history, f"{event.event_id} did not reach the topic", event)


def is_due(event: Event, history: History) -> bool:
    """Whether the event must have been published. A denial waits until it counts no more, and for the next run."""
    if event.published_at is not None or history.present is None or event.type != AuditType.DENIED:
        return history.is_settled or event.published_at is not None
    return history.is_settled and event.at <= history.present.read_at - LEFT_BEHIND_AFTER - _NEXT_RUN_WITHIN


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
