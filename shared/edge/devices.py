"""The device that a request comes from, and its IP address as the platform's proxies report it."""

from ipaddress import ip_address

from starlette.requests import Request

from shared.edge.settings import settings
from shared.rules.acquire import Device

_MAX_USER_AGENT = 256


def device_of(request: Request, *, hardware_id: str, instance_id: str | None) -> Device:
    return Device(
        hardware_id=hardware_id,
        ip_address=address_of(request),
        user_agent=user_agent_of(request),
        instance_id=instance_id,
    )


def address_of(request: Request) -> str | None:
    """The client's address, as far as it can be trusted."""
    return client_address(request, trusted_hops=settings().trusted_proxy_hops)


def user_agent_of(request: Request) -> str | None:
    user_agent = request.headers.get("user-agent")
    return None if user_agent is None else "".join(filter(str.isprintable, user_agent))[:_MAX_USER_AGENT]


def client_address(request: Request, *, trusted_hops: int) -> str | None:
    """Find the address that the outermost trusted proxy saw.

    Each proxy appends the caller's address to ``X-Forwarded-For``. Entries further left come from the client and may be
    invented. ``trusted_hops`` of 0 means that clients connect directly. The result is ``None`` when no address can be
    trusted: there are too few entries, or the entry is not an address.
    """
    sent = request.headers.getlist("x-forwarded-for")
    if trusted_hops == 0:
        # For a connection from its own machine, the server (uvicorn) takes the address from this header.
        return None if request.client is None or sent else _normal(request.client.host)
    forwarded = [entry.strip() for header in sent for entry in header.split(",")]
    return _normal(forwarded[-trusted_hops]) if len(forwarded) >= trusted_hops else None


def _normal(text: str) -> str | None:
    # A zone (fe80::1%eth0) means nothing outside of its machine, and may be any text of any length.
    if "%" in text:
        return None
    try:
        return str(ip_address(text))
    except ValueError:
        return None
