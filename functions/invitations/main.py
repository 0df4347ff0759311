"""``POST`` and ``DELETE /v1/invitations``: invite a person into the caller's organization, or take that back."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.identity import identify
from shared.edge.people_answers import answer_invite, answer_withdraw
from shared.edge.people_requests import InvitationBody, InvitationQuery
from shared.edge.requests import parse, parse_query
from shared.edge.wiring import firestore, policy
from shared.people.invitations import Invitations, InviteRequest, WithdrawRequest


@cache
def opened() -> Invitations:
    return Invitations(firestore(), policy())


@http_function("POST", "DELETE")
async def invitations(request: Request) -> Response:
    """Open or renew the invitation of an address, or withdraw one. For owners and admins."""
    caller = await identify(request)
    if request.method == "DELETE":
        named = parse_query(request, InvitationQuery)
        withdrawn = WithdrawRequest(user_id=caller.user_id, invitation_id=named.invitation_id)
        return answer_withdraw(await opened().withdraw(caller.organization_id, withdrawn))
    asked = await parse(request, InvitationBody)
    wanted = InviteRequest(user_id=caller.user_id, email=asked.email, role=asked.role, groups=tuple(asked.groups or ()))
    answered = await opened().invite(caller.organization_id, wanted)
    return answer_invite(answered, organization_id=caller.organization_id)
