"""The report of a run of expire, to its answer. Numbers only: nothing of any organization."""

from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.seats.expire import ExpiryReport


class ExpiryAnswer(Answer):
    """What a run of expire did. ``is_complete`` of false: its time was up, and the next one goes on."""

    sessions_ended: int
    sessions_left: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    server_time: Time


def answer_expire(report: ExpiryReport) -> Response:
    """200 with what the run did, also when the time was too short for all of it. Numbers only: of no organization."""
    body = ExpiryAnswer(
        sessions_ended=report.sessions_ended,
        sessions_left=report.sessions_left,
        organizations=report.organizations,
        organizations_failed=report.organizations_failed,
        is_complete=report.is_complete,
        server_time=report.now,
    )
    return answer(body)
