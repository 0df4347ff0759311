"""Called by Cloud Scheduler every minute: end the sessions whose lease has run out, in every organization."""

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.outcomes import answer_expire
from shared.edge.wiring import expiries


@http_function("POST")
async def expire_sessions(_: Request) -> Response:
    """End what has lapsed. Who may call is the platform's to decide: nothing in the request matters."""
    return answer_expire(await expiries().expire())
