"""The answer of ``expire_sessions``. It has numbers only and names no organization."""

from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.seats.expire import ExpiryReport


class ExpiryAnswer(Answer):
    """What the run did. When ``is_complete`` is false, its time was up, and the next run does the rest."""

    sessions_ended: int
    sessions_left: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    server_time: Time


def answer_expire(report: ExpiryReport) -> Response:
    """Answer 200, also when the time was too short for all of it."""
    body = ExpiryAnswer(
        sessions_ended=report.sessions_ended,
        sessions_left=report.sessions_left,
        organizations=report.organizations,
        organizations_failed=report.organizations_failed,
        is_complete=report.is_complete,
        server_time=report.now,
    )
    return answer(body)
