"""The device that a request comes from."""

from starlette.requests import Request

from shared.edge.client_address import client_address
from shared.edge.settings import settings
from shared.rules.acquire import Device

_MAX_USER_AGENT = 256


def device_of(request: Request, *, hardware_id: str) -> Device:
    """Put together what the client says of its device and what the platform says of its address."""
    user_agent = request.headers.get("user-agent")
    if user_agent is not None:
        user_agent = "".join(filter(str.isprintable, user_agent))[:_MAX_USER_AGENT]
    return Device(
        hardware_id=hardware_id,
        ip_address=client_address(request, trusted_hops=settings().trusted_proxy_hops),
        user_agent=user_agent,
    )
