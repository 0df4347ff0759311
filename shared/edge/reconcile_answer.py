"""The answer of ``reconcile``. It has numbers only and names no organization."""

from starlette.responses import Response

from shared.audit.relay import RelayReport
from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.edge.errors import ApiError, Code
from shared.seats.reconcile import ReconcileReport


class ReconcileAnswer(Answer):
    """What the run did. ``organizations`` counts those it checked. When ``is_complete`` is false, its time was up.

    An organization that failed in both halves of the run, events and seats, counts twice in ``organizations_failed``.
    """

    events_published: int
    events_left: int
    sessions_ended: int
    ends_reported: int
    counters_repaired: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    server_time: Time


def answer_reconcile(relayed: RelayReport, reconciled: ReconcileReport) -> Response:
    """Answer 200, or 503 when Pub/Sub did not answer, so that the scheduler shows the run as failed."""
    body = ReconcileAnswer(
        events_published=relayed.events_published,
        events_left=relayed.events_left,
        sessions_ended=reconciled.sessions_ended,
        ends_reported=reconciled.ends_reported,
        counters_repaired=reconciled.counters_repaired,
        organizations=reconciled.organizations,
        organizations_failed=relayed.organizations_failed + reconciled.organizations_failed,
        is_complete=relayed.is_complete and reconciled.is_complete,
        server_time=reconciled.now,
    )
    if not relayed.is_topic_available:
        message = "audit events could not be published; the rest was done, and the next run publishes them"
        details: dict[str, object] = body.model_dump(mode="json", exclude={"server_time"})
        raise ApiError(Code.TOPIC_UNAVAILABLE, message, details=details)
    return answer(body)
