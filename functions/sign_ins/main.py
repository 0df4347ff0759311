"""``POST /v1/sign-ins``: sign a device in through a browser, for people without a password of ours."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.admin.custom_tokens import CustomTokens
from shared.admin.sign_ins import SignIns
from shared.edge.devices import address_of
from shared.edge.http import http_function
from shared.edge.requests import SignInBody, parse
from shared.edge.settings import settings
from shared.edge.sign_in_answers import answer_sign_in
from shared.edge.sign_in_steps import take_step
from shared.edge.wiring import firestore, policy


@cache
def devices() -> SignIns:
    return SignIns(firestore(), policy(), CustomTokens(project=settings().project))


@http_function("POST")
async def sign_ins(request: Request) -> Response:
    asked = await parse(request, SignInBody)
    return answer_sign_in(await take_step(request, asked.root, devices()), address=address_of(request))
