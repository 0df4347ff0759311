"""Called by Cloud Scheduler every minute: end the sessions whose lease has run out, in every organization."""

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
    """End what has lapsed. Who may call is the platform's to decide: nothing in the request matters."""
    return answer_expire(await expiries().expire())
