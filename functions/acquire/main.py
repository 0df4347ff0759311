"""``POST /v1/acquire``: take a seat."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.devices import device_of
from shared.edge.http import http_function
from shared.edge.identity import identify
from shared.edge.lease_answers import answer_acquire
from shared.edge.lease_tokens import lease_tokens
from shared.edge.requests import AcquireBody, parse
from shared.edge.wiring import firestore, policy
from shared.seats.acquire import AcquireRequest, Acquires

tokens = lease_tokens()  # at import, so that an instance that cannot sign does not start


@cache
def acquires() -> Acquires:
    return Acquires(firestore(), policy())


@http_function("POST")
async def acquire(request: Request) -> Response:
    caller = await identify(request)
    asked = await parse(request, AcquireBody)
    wanted = AcquireRequest(
        user_id=caller.user_id,
        license_key=asked.license_key,
        device=device_of(request, hardware_id=asked.hardware_id, instance_id=asked.instance_id),
        borrow_until=asked.borrow_until,
        wait_until=asked.wait_until,
    )
    answered = await acquires().acquire(caller.organization_id, wanted)
    return answer_acquire(answered, organization_id=caller.organization_id, tokens=tokens, nonce=asked.nonce)
