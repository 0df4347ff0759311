"""The answer of ``summarize_usage``. It has numbers only and names no organization."""

from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.seats.summarize_usage import SummarizeReport


class SummarizeAnswer(Answer):
    """What the run did. When ``is_complete`` is false, its time was up."""

    days_written: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    server_time: Time


def answer_summarize(report: SummarizeReport) -> Response:
    """Answer 200, also when the time was too short for all of it."""
    return answer(SummarizeAnswer.from_record(report, server_time=report.now))
