"""Counts how each license was used, day by day. Cloud Scheduler calls it every hour."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.settings import settings
from shared.edge.summarize_answer import answer_summarize
from shared.edge.wiring import firestore, policy
from shared.seats.summarize_usage import Summaries


@cache
def summaries() -> Summaries:
    return Summaries(firestore(), policy(), run_within=settings().run_within)


@http_function("POST")
async def summarize_usage(_: Request) -> Response:
    """Summarize all organizations. The platform decides about callers; the request's content is ignored."""
    return answer_summarize(await summaries().summarize())
