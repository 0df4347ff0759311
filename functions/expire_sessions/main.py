"""Ends the sessions whose lease has run out, in every organization. Cloud Scheduler calls it every minute."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.expire_answer import answer_expire
from shared.edge.http import http_function
from shared.edge.settings import settings
from shared.edge.wiring import firestore, policy
from shared.seats.expire import Expiries


@cache
def expiries() -> Expiries:
    return Expiries(firestore(), policy(), run_within=settings().run_within)


@http_function("POST")
async def expire_sessions(_: Request) -> Response:
    """End the lapsed sessions. The platform decides about callers; the request's content is ignored."""
    return answer_expire(await expiries().expire())
