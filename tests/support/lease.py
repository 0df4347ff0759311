"""Verify a lease token as a program does, only with the public keys from ``keys``."""

from collections.abc import Mapping
from typing import Any

import httpx
import jwt


async def shown_keys(http: httpx.AsyncClient, url: str) -> httpx.Response:
    """Ask for the public keys, as anybody may."""
    return await http.get(url)


def verified(token: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Verify a token with the key that it names, and give its claims.

    Raises:
        StopIteration: no such key is shown.
        jwt.InvalidTokenError: the signature is none of that key's, or the time is up.
    """
    kid = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWK(next(key for key in keys["keys"] if key["kid"] == kid))
    return dict(jwt.decode(token, key, algorithms=["EdDSA"]))
