"""The device that a request comes from, and its IP address as the platform's proxies report it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import assert_never

from starlette.requests import Request

from shared.edge.settings import AddressHeader, ClientAddresses, settings
from shared.rules.acquire import Device

_MAX_USER_AGENT = 256
_MAX_ADDRESS = 45
"""The most characters of an address: one of the sixth version that ends with one of the fourth."""


def device_of(request: Request, *, hardware_id: str, instance_id: str | None) -> Device:
    return Device(
        hardware_id=hardware_id,
        ip_address=address_of(request),
        user_agent=user_agent_of(request),
        instance_id=instance_id,
    )


def address_of(request: Request) -> str | None:
    """The client's address, as far as it can be trusted, and as much of it as this deployment keeps."""
    env = settings()
    address = client_address(request, header=env.address_header, trusted_hops=env.trusted_proxy_hops)
    return None if address is None else _kept(address, env.client_addresses)


def network_of(request: Request) -> str:
    """What counts as one address: an IPv4 address, the /64 of an IPv6 one, or all that is not known together.

    A customer has at least 64 bits of an IPv6 address to choose from.
    """
    env = settings()
    address = client_address(request, header=env.address_header, trusted_hops=env.trusted_proxy_hops)
    return "" if address is None else _network(address, ipv4_bits=32, ipv6_bits=64)


def user_agent_of(request: Request) -> str | None:
    user_agent = request.headers.get("user-agent")
    if user_agent is None:
        return None
    printable = user_agent if user_agent.isprintable() else "".join(filter(str.isprintable, user_agent))
    return printable[:_MAX_USER_AGENT]


def client_address(request: Request, *, header: AddressHeader, trusted_hops: int) -> IPv4Address | IPv6Address | None:
    """Find the address that the outermost trusted proxy saw.

    Firebase Hosting's own proxy says it in ``Fastly-Client-IP``, if the deployment has chosen this header. A request
    without it did not come through Hosting, and a client that calls the function itself may invent it.

    Each proxy appends the caller's address to ``X-Forwarded-For``. Entries further left come from the client and may be
    invented. ``trusted_hops`` of 0 means that clients connect directly. The result is ``None`` when no address can be
    trusted: there are too few entries, or the entry is not an address.
    """
    if header is AddressHeader.FASTLY and (told := request.headers.getlist(header)):
        return _normal(told[0].strip()) if len(told) == 1 else None
    sent = request.headers.getlist(AddressHeader.FORWARDED)
    if trusted_hops == 0:
        # For a connection from its own machine, the server (uvicorn) takes the address from this header.
        return None if request.client is None or sent else _normal(request.client.host)
    forwarded = [entry.strip() for header in sent for entry in header.split(",")]
    return _normal(forwarded[-trusted_hops]) if len(forwarded) >= trusted_hops else None


@lru_cache(maxsize=10_000)  # a program asks from the same address each time
def _kept(address: IPv4Address | IPv6Address, setting: ClientAddresses) -> str | None:
    match setting:
        case ClientAddresses.WHOLE:
            return str(address)
        case ClientAddresses.SHORTENED:
            return _network(address, ipv4_bits=24, ipv6_bits=48)
        case ClientAddresses.NONE:
            return None
        case _:
            assert_never(setting)


def _network(address: IPv4Address | IPv6Address, *, ipv4_bits: int, ipv6_bits: int) -> str:
    # ::ffff:203.0.113.7 is an IPv4 address. As an IPv6 one its network would be the same for everyone.
    plain = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    bits = ipv4_bits if isinstance(plain, IPv4Address) else ipv6_bits
    return str(ip_network((plain, bits), strict=False).network_address)


def _normal(text: str) -> IPv4Address | IPv6Address | None:
    # A zone (fe80::1%eth0) means nothing outside of its machine, and may be any text of any length.
    return None if len(text) > _MAX_ADDRESS or "%" in text else _parsed(text)


@lru_cache(maxsize=10_000)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
