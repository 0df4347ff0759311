"""Faults sown into the history of a line."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from infra.judge.history import Acknowledged, History, Operation
from infra.judge.violation import Kind
from shared.documents.rfc3339 import rfc3339
from shared.rules.audit import AuditType
from tests.infra.judge.mutations import only, starts, trail, with_details


def granted_to_a_newcomer(h: History) -> History:
    # The first place waited for an hour, says its end, and the user behind it came just then.
    waits_on = with_details(trail(h), only(h, AuditType.GAVE_UP), waited_seconds=3_600)
    return with_details(waits_on, starts(h, "m2")[0], waited_seconds=None)


def place_lost(h: History) -> History:
    queued = next(event for event in h.events if event.type == AuditType.QUEUED)
    asked = [
        Acknowledged(operation=Operation.ACQUIRE, user_id=user_id, hardware_id="d", status=None, sent_at=queued.at)
        for user_id in ("m0", "m1", "m2", "m3")
    ]
    told = replace(
        asked[1],
        status=202,
        session_id=queued.session_id,
        body={"waiting": {"since": rfc3339(queued.at + timedelta(seconds=1))}},
    )
    return replace(h, requests=(*asked, told))


SEEDED_LINE: Sequence[tuple[Kind, Callable[[History], History]]] = (
    (Kind.GRANTED_OUT_OF_TURN, granted_to_a_newcomer),
    (Kind.ACKNOWLEDGED_PLACE_LOST, place_lost),
)
