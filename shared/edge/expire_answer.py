"""The answer of ``expire_sessions``. It has numbers only and names no organization."""

from starlette.responses import Response

from shared.audit.relay import RelayReport
from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.edge.errors import ApiError, Code
from shared.seats.expire import ExpiryReport


class ExpiryAnswer(Answer):
    """What the run did. When ``is_complete`` is false, its time was up, and the next run does the rest.

    ``organizations`` counts those in which sessions ended. An organization that failed in both halves of the run,
    sessions and events, counts twice in ``organizations_failed``.
    """

    sessions_ended: int
    sessions_left: int
    events_published: int
    events_left: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    server_time: Time


def answer_expire(expired: ExpiryReport, relayed: RelayReport) -> Response:
    """Answer 200, also when the time was too short for all of it.

    It is 503 when Pub/Sub did not answer, so that the scheduler shows the run as failed.
    """
    body = ExpiryAnswer.from_record(
        expired,
        events_published=relayed.events_published,
        events_left=relayed.events_left,
        organizations_failed=expired.organizations_failed + relayed.organizations_failed,
        is_complete=expired.is_complete and relayed.is_complete,
        server_time=expired.now,
    )
    if not relayed.is_topic_available:
        details: dict[str, object] = body.model_dump(mode="json", exclude={"server_time"})
        raise ApiError(Code.TOPIC_UNAVAILABLE, details=details)
    return answer(body)
