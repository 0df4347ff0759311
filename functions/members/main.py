"""``GET`` and ``PATCH /v1/members``: the users of the caller's organization, and changes of a user."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.identity import identify
from shared.edge.people_answers import answer_change, answer_members
from shared.edge.people_requests import MemberBody, MembersQuery
from shared.edge.requests import parse, parse_query
from shared.edge.wiring import firestore, policy
from shared.people.members import ChangeRequest, MembersRequest, People
from shared.rules.members import MemberChange


@cache
def people() -> People:
    return People(firestore(), policy())


@http_function("GET", "PATCH")
async def members(request: Request) -> Response:
    """Report the users of the caller's organization, or change one. For owners and admins."""
    caller = await identify(request)
    if request.method == "GET":
        page = parse_query(request, MembersQuery)
        wanted = MembersRequest(user_id=caller.user_id, page_size=page.page_size, after=page.page_token)
        return answer_members(await people().members(caller.organization_id, wanted))
    asked = await parse(request, MemberBody)
    groups = None if asked.groups is None else tuple(asked.groups)
    change = MemberChange(role=asked.role, groups=groups, is_active=asked.is_active)
    changed = ChangeRequest(user_id=caller.user_id, changed_id=asked.user_id, change=change)
    return answer_change(await people().change(caller.organization_id, changed))
