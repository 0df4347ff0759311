"""Called by Cloud Scheduler every minute: end the sessions whose lease has run out, in every organization."""

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.expire_report import answer_expire
from shared.edge.expire_wiring import expiries
from shared.edge.http import http_function


@http_function("POST")
async def expire_sessions(_: Request) -> Response:
    """End what has lapsed. Who may call is the platform's to decide: nothing in the request matters."""
    return answer_expire(await expiries().expire())
