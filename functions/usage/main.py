"""``GET /v1/usage``: the seats in use, the users who hold them, and whether there were enough."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.identity import identify
from shared.edge.requests import UsageQuery, known_tags, parse_query
from shared.edge.usage_answer import answer_usage
from shared.edge.wiring import firestore, policy
from shared.rules.usage import View
from shared.seats.usage import UsageRequest, Usages


@cache
def usages() -> Usages:
    return Usages(firestore(), policy())


@http_function("GET")
async def usage(request: Request) -> Response:
    """Report the seats of the caller's organization, as far as the caller's role allows."""
    caller = await identify(request)
    asked = parse_query(request, UsageQuery)
    wanted = UsageRequest(
        user_id=caller.user_id,
        license_key=asked.license_key,
        page_size=asked.page_size,
        after=asked.page_token,
        view=View(asked.view),
        known_versions=known_tags(request),
    )
    return answer_usage(await usages().usage(caller.organization_id, wanted))
