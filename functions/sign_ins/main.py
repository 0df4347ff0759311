"""``POST /v1/sign-ins``: sign a device in through a browser, for people without a password of ours."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.admin.custom_tokens import CustomTokens
from shared.admin.sign_ins import Asked, SignInOutcome, SignIns
from shared.edge.address_limits import Limit, network_of
from shared.edge.devices import address_of
from shared.edge.http import http_function
from shared.edge.identity import identify_with_sign_in
from shared.edge.requests import BeginSignIn, DecideSignIn, ExchangeSignIn, LookAtSignIn, SignInBody, parse
from shared.edge.settings import settings
from shared.edge.sign_in_answers import answer_sign_in
from shared.edge.wiring import firestore, policy
from shared.firestore.group_commit import Answered
from shared.rules.sign_in import Approval, sign_in_id_of

begun = Limit(burst=60, a_minute=60)  # of an address, where a whole company may be
exchanged = Limit(burst=200, a_minute=1200)
looked = Limit(burst=20, a_minute=6)  # of a person, who could guess codes


@cache
def devices() -> SignIns:
    return SignIns(firestore(), policy(), CustomTokens(project=settings().project))


@http_function("POST")
async def sign_ins(request: Request) -> Response:
    asked = (await parse(request, SignInBody)).root
    return answer_sign_in(await _step(request, asked), address=address_of(request))


async def _step(
    request: Request, asked: BeginSignIn | LookAtSignIn | DecideSignIn | ExchangeSignIn
) -> Answered[SignInOutcome]:
    """Take a step. A device proves by its code verifier that it began the sign-in; a person has an ID token."""
    match asked:
        case BeginSignIn():
            begun.admit(network_of(request))
            device = Asked(
                code_challenge=asked.code_challenge,
                device_name=asked.device_name,
                ip_address=address_of(request),
                loopback_port=asked.loopback_port,
            )
            return await devices().begin(device)
        case ExchangeSignIn():
            exchanged.admit(network_of(request))
            return await devices().exchange(
                sign_in_id=asked.sign_in_id, code_verifier=asked.code_verifier, code=asked.code
            )
    caller, how = await identify_with_sign_in(request)
    looked.admit(caller)
    if isinstance(asked, LookAtSignIn):
        sign_in_id = asked.sign_in_id or sign_in_id_of(asked.user_code or "")
        return await devices().look(caller.organization_id, user_id=caller.user_id, sign_in_id=sign_in_id)
    approval = Approval(
        user_id=caller.user_id,
        organization_id=caller.organization_id,
        signed_in_at=how.at,
        signed_in_with=how.provider,
    )
    return await devices().decide(
        caller.organization_id,
        approval,
        is_approved=asked.step == "approve",
        sign_in_id=asked.sign_in_id,
        user_code=asked.user_code,
    )
