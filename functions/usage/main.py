"""``GET /v1/usage``: who holds which seat."""

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.identity import identify
from shared.edge.outcomes import answer_usage
from shared.edge.wiring import usages
from shared.store.usage import UsageRequest


@http_function("GET")
async def usage(request: Request) -> Response:
    """Report the seats of the caller's organization to its owners and admins."""
    caller = await identify(request)
    asked = UsageRequest(user_id=caller.user_id)
    return answer_usage(await usages().usage(caller.organization_id, asked))
