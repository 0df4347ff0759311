"""The client's IP address, as the platform's own proxies report it."""

from ipaddress import ip_address

from starlette.requests import Request


def client_address(request: Request, *, trusted_hops: int) -> str | None:
    """Find the address that the outermost trusted proxy saw.

    Each proxy appends the address it was called from to ``X-Forwarded-For``; whatever stands further left was sent by
    the client and may be invented. ``trusted_hops`` of 0 means that clients connect directly. ``None`` when there is
    no address to trust: too few entries, or not an address.
    """
    sent = request.headers.getlist("x-forwarded-for")
    if trusted_hops == 0:
        # To a connection from its own machine the server (uvicorn) gives the address that this header claims.
        return None if request.client is None or sent else _normal(request.client.host)
    forwarded = [entry.strip() for header in sent for entry in header.split(",")]
    return _normal(forwarded[-trusted_hops]) if len(forwarded) >= trusted_hops else None


def _normal(text: str) -> str | None:
    # A zone (fe80::1%eth0) says nothing outside of its machine, and may be any text of any length.
    if "%" in text:
        return None
    try:
        return str(ip_address(text))
    except ValueError:
        return None
