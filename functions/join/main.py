"""``POST /v1/join``: a person with an account becomes a user of an organization."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.identity import identify_new_user
from shared.edge.people_answers import answer_join
from shared.edge.people_requests import JoinBody
from shared.edge.requests import parse
from shared.edge.wiring import firestore, policy
from shared.people.join import Joins


@cache
def joins() -> Joins:
    return Joins(firestore(), policy())


@http_function("POST")
async def join(request: Request) -> Response:
    """Let the person of the token in, if an invitation, a single sign-on or a domain says so."""
    person = await identify_new_user(request)
    asked = await parse(request, JoinBody)
    return answer_join(await joins().join(person, asked=asked.organization_id))
