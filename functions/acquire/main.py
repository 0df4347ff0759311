"""``POST /v1/acquire``: take a seat."""

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.devices import device_of
from shared.edge.http import http_function
from shared.edge.identity import identify
from shared.edge.outcomes import answer_acquire
from shared.edge.requests import AcquireBody, parse
from shared.edge.wiring import acquires
from shared.store.acquire import AcquireRequest


@http_function("POST")
async def acquire(request: Request) -> Response:
    """Take a seat for the caller's user and device."""
    caller = await identify(request)
    asked = await parse(request, AcquireBody)
    wanted = AcquireRequest(
        user_id=caller.user_id,
        license_key=asked.license_key,
        device=device_of(request, hardware_id=asked.hardware_id),
    )
    return answer_acquire(await acquires().acquire(caller.organization_id, wanted))
