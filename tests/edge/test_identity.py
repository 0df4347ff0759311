"""ID tokens where an emulator is named: the library then verifies neither signature nor expiry."""

import math
import time
from uuid import uuid4

import jwt
import pytest

from shared.edge.errors import ApiError, Code
from shared.edge.identity import Tokens

LEFT_OUT = "left out"


@pytest.mark.parametrize("expires_at", [LEFT_OUT, None, "soon", [], {}, -1, math.nan, math.inf, 10**400], ids=repr)
async def test_a_token_without_a_possible_expiry_is_invalid(
    expires_at: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9099")
    project = f"test-{uuid4().hex[:12]}"
    claims = {
        "iss": f"https://securetoken.google.com/{project}",
        "aud": project,
        "sub": "m0",
        "iat": int(time.time()),
        "org_id": "acme",
        "exp": expires_at,
    }
    if expires_at is LEFT_OUT:
        del claims["exp"]
    token = jwt.encode(claims, key="", algorithm="none")

    with pytest.raises(ApiError) as refused:
        await Tokens(project=project).verify(token)

    assert refused.value.code is Code.TOKEN_INVALID
