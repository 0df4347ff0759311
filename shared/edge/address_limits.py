"""Bounds what one address, or one person, asks of a function that takes some requests without a token."""

import math
import time
from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from cachetools import LRUCache
from starlette.requests import Request

from shared.edge.devices import client_address
from shared.edge.errors import ApiError, Code
from shared.edge.settings import settings

MAX_CALLERS = 10_000
"""The most callers that an instance counts. A forgotten one begins with a whole burst again."""

_IPV6_NETWORK = 64
"""A customer has at least so many bits of an IPv6 address to choose from, so they count as one."""


@dataclass(kw_only=True, slots=True)
class _Left:
    requests: float
    counted_at: float


class Limit:
    """A token bucket for each caller: ``burst`` requests at once, and ``a_minute`` after that."""

    def __init__(self, *, burst: int, a_minute: float) -> None:
        self._burst = burst
        self._a_second = a_minute / 60
        self._callers: LRUCache[Hashable, _Left] = LRUCache(MAX_CALLERS)

    def admit(self, caller: Hashable, *, now: float | None = None) -> None:
        """Count a request. ``now`` is in seconds, by a clock that is never set.

        Raises:
            ApiError: ``RATE_LIMITED``. A refused request is not counted.
        """
        now = time.monotonic() if now is None else now
        left = self._callers.get(caller)
        if left is None:
            left = self._callers[caller] = _Left(requests=self._burst, counted_at=now)
        left.requests = min(self._burst, left.requests + (now - left.counted_at) * self._a_second)
        left.counted_at = now
        if left.requests < 1:
            retry_after = math.ceil((1 - left.requests) / self._a_second)
            raise ApiError(Code.RATE_LIMITED, headers={"Retry-After": str(retry_after)})
        left.requests -= 1


def network_of(request: Request) -> str:
    """What counts as one address: an IPv4 address, the /64 of an IPv6 one, or all that is not known together."""
    env = settings()
    address = client_address(request, header=env.address_header, trusted_hops=env.trusted_proxy_hops)
    match address:
        case None:
            return ""
        case IPv4Address():
            return str(address)
        case IPv6Address():
            plain = address.ipv4_mapped
            return str(plain or ip_network((address, _IPV6_NETWORK), strict=False).network_address)
