"""``POST /v1/release``: give a seat back."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.identity import identify
from shared.edge.release_answer import answer_release
from shared.edge.requests import ReleaseBody, parse
from shared.edge.wiring import firestore, policy
from shared.seats.release import ReleaseRequest, Releases


@cache
def releases() -> Releases:
    return Releases(firestore(), policy())


@http_function("POST")
async def release(request: Request) -> Response:
    """Leave one of the caller's sessions, or end it. Owners and admins may end every session of their organization."""
    caller = await identify(request)
    asked = await parse(request, ReleaseBody)
    freed = ReleaseRequest(
        user_id=caller.user_id, session_id=asked.session_id, instance_id=asked.instance_id, until=asked.until
    )
    return answer_release(await releases().release(caller.organization_id, freed))
