"""Find the shortest history that still shows a violation, by leaving out whole tenures, requests and edits."""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TypeVar

from infra.judge.history import AdminEdit, Event, History
from infra.judge.judge import judge
from infra.judge.tenure import started_at_of
from infra.judge.violation import Violation

_Part = TypeVar("_Part")

SHRINK_WITHIN_SECONDS = 45.0


def shrunk(history: History, violation: Violation, *, within: float = SHRINK_WITHIN_SECONDS) -> History:
    """Leave out what the violation does not need, for so many seconds at most.

    What is kept shows a violation of the same kind, at the same time, by no other events than this one. One that names
    no events is about what is missing: then nothing can be left out.
    """
    if not violation.events:
        return history
    deadline = time.monotonic() + within
    evidence = {event.event_id for event in violation.events}

    def still_shown(smaller: History) -> bool:
        return any(
            each.kind is violation.kind
            and each.at == violation.at
            and evidence.issuperset(event.event_id for event in each.events)
            for each in judge(smaller)
        )

    def fewer(parts: Sequence[_Part], without: Callable[[Sequence[_Part]], History]) -> Sequence[_Part]:
        return smallest(parts, lambda kept: still_shown(without(kept)), deadline=deadline)

    tenures = fewer(
        list(dict.fromkeys(map(_tenure, history.events))),
        lambda kept: replace(history, events=_of(history.events, set(kept))),
    )
    smaller = replace(history, events=_of(history.events, set(tenures)))
    requests = fewer(history.requests or (), lambda kept: replace(smaller, requests=tuple(kept)))
    smaller = replace(smaller, requests=None if history.requests is None else tuple(requests))
    edits: Sequence[AdminEdit] = fewer(history.edits or (), lambda kept: replace(smaller, edits=tuple(kept)))
    smaller = replace(smaller, edits=None if history.edits is None else tuple(edits))
    without_messages = replace(smaller, messages=None)
    return without_messages if still_shown(without_messages) else smaller


def smallest(parts: Sequence[_Part], holds: Callable[[Sequence[_Part]], bool], *, deadline: float) -> Sequence[_Part]:
    """Leave out parts as long as what is kept ``holds``: ever smaller chunks, until no single one can go (ddmin)."""
    size = len(parts)
    while size >= 1 and time.monotonic() < deadline:
        before, start = len(parts), 0
        while start < len(parts) and time.monotonic() < deadline:
            kept = [*parts[:start], *parts[start + size :]]
            if holds(kept):
                parts = kept
            else:
                start += size
        if size > 1:
            size //= 2
        elif len(parts) == before:
            break
    return parts


def _tenure(event: Event) -> Hashable:
    started_at = started_at_of(event)
    return event.event_id if started_at is None else (event.session_id, started_at)


def _of(events: Sequence[Event], kept: set[Hashable]) -> tuple[Event, ...]:
    return tuple(event for event in events if _tenure(event) in kept)
