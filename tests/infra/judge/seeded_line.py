"""Faults sown into the history of a line."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from infra.judge.history import Acknowledged, Event, History, Operation
from infra.judge.terms import time_of
from infra.judge.violation import Kind
from shared.documents.rfc3339 import rfc3339
from shared.rules.audit import AuditType
from tests.infra.judge.mutations import only, starts, trail, with_details


def granted_to_a_newcomer(h: History) -> History:
    # The first place waited for an hour, says its end, and the user behind it came just then.
    waits_on = with_details(trail(h), only(h, AuditType.GAVE_UP), waited_seconds=3_600)
    return with_details(waits_on, starts(h, "m2")[0], waited_seconds=None)


def _told_of_a_place(h: History, queued: Event, **told: Any) -> History:  # noqa: ANN401 what the answer says
    asked = [
        Acknowledged(operation=Operation.ACQUIRE, user_id=user_id, hardware_id="d", status=None, sent_at=queued.at)
        for user_id in ("m0", "m1", "m2", "m3")
    ]
    answer = {"license_id": queued.license_id, "server_time": rfc3339(queued.at), "waiting": told}
    place = replace(asked[1], status=202, session_id=queued.session_id, body=answer)
    return replace(h, requests=(*asked, place))


def _first_place(h: History) -> Event:
    return next(event for event in h.events if event.type == AuditType.QUEUED)


def place_lost(h: History) -> History:
    queued = _first_place(h)
    return _told_of_a_place(h, queued, since=rfc3339(queued.at + timedelta(seconds=1)), position=1)


def told_to_wait_when_the_seat_was_free(h: History, *, position: int = 1) -> History:
    queued, since = _first_place(h), rfc3339(_first_place(h).at)
    # At the time of the denial the only seat was free, for the first place.
    free_at, _ = time_of(only(h, AuditType.DENIED))
    return _told_of_a_place(h, replace(queued, at=free_at), since=since, position=position)


SEEDED_LINE: Sequence[tuple[Kind, Callable[[History], History]]] = (
    (Kind.GRANTED_OUT_OF_TURN, granted_to_a_newcomer),
    (Kind.ACKNOWLEDGED_PLACE_LOST, place_lost),
    (Kind.REFUSED_WHILE_FREE, told_to_wait_when_the_seat_was_free),
)
