"""ID tokens for the local stack. They are unsigned, so no other system accepts them."""

import time
from collections.abc import Mapping

import jwt


def unsigned_token(
    *,
    project: str,
    organization_id: str | None,
    user_id: str,
    lifetime_seconds: int = 3600,
    more: Mapping[str, object] | None = None,
) -> str:
    """Make an ID token like Firebase's, without a signature. Only a function with an emulator accepts it.

    ``more`` are further claims, such as the address.
    """
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": f"https://securetoken.google.com/{project}",
        "aud": project,
        "sub": user_id,
        "user_id": user_id,
        "auth_time": now,
        "iat": now,
        "exp": now + lifetime_seconds,
        **(more or {}),
    }
    if organization_id is not None:
        claims["org_id"] = organization_id
    return jwt.encode(claims, key="", algorithm="none")
