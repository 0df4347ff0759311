"""Check that a program can verify its lease token with the keys that ``keys`` shows."""

from collections.abc import Mapping
from typing import Any

import jwt

_CLOCKS_APART_SECONDS = 60


def not_verified(token: object, shown: Mapping[str, Any], *, project: str) -> str | None:
    """The reason why a program with these keys would reject the token; ``None`` if it would accept it."""
    if not isinstance(token, str):
        return "the answer has no lease_token"
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(dict(shown)).keys}
        if kid not in keys:
            return f"signed with the key {kid}, which keys does not show"
        issuer = f"seatlease/{project}"
        jwt.decode(token, keys[kid], algorithms=["EdDSA"], issuer=issuer, leeway=_CLOCKS_APART_SECONDS)
    except jwt.PyJWTError as error:
        return f"programs would reject it: {error}"
    return None
