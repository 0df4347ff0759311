"""ID tokens where an emulator is named, which the library does not verify; and how often one user may ask."""

import math
import time
from contextlib import suppress
from uuid import uuid4

import jwt
import pytest

from shared.edge.errors import ApiError, Code
from shared.edge.identity import AT_A_TIME, BURST, MAX_CALLERS, REQUESTS_A_SECOND, Limit, Tokens, user_limits

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


# Limits for one user


ANN, BEN = ("acme", "ann"), ("acme", "ben")


@pytest.fixture
def limits() -> Limit:
    user_limits.cache_clear()
    return user_limits()


def _admitted(limits: Limit, user: tuple[str, str], *, times: int, now: float) -> int:
    """How many of so many requests, one after the other, are admitted."""
    admitted = 0
    for _ in range(times):
        with suppress(ApiError):
            is_over = limits.admit(user, now=now)
            admitted += 1
            is_over()
    return admitted


def test_a_user_has_a_burst_and_then_so_many_requests_a_second(limits: Limit) -> None:
    seconds = [_admitted(limits, ANN, times=1_000, now=now) for now in (0, 1, 2, 2.5, 1_000)]

    assert seconds == [BURST, REQUESTS_A_SECOND, REQUESTS_A_SECOND, REQUESTS_A_SECOND // 2, BURST]


def test_a_refusal_says_when_to_ask_again(limits: Limit) -> None:
    _admitted(limits, ANN, times=BURST, now=0)

    with pytest.raises(ApiError) as refused:
        limits.admit(ANN, now=0)

    assert (refused.value.code, refused.value.headers) == (Code.RATE_LIMITED, {"Retry-After": "1"})


def test_a_user_who_asks_too_often_takes_nothing_from_others(limits: Limit) -> None:
    elsewhere = ("other", "ann")
    _admitted(limits, ANN, times=1_000, now=0)

    assert [_admitted(limits, user, times=1, now=0) for user in (ANN, BEN, elsewhere)] == [0, 1, 1]


def test_a_user_has_so_many_requests_under_way_and_one_more_when_one_is_answered(limits: Limit) -> None:
    under_way = [limits.admit(ANN, now=0) for _ in range(AT_A_TIME)]

    at_the_limit = _admitted(limits, ANN, times=1, now=0)
    under_way[0]()
    after_an_answer = _admitted(limits, ANN, times=1, now=0)

    assert (at_the_limit, after_an_answer) == (0, 1)


def test_a_user_who_asks_too_often_is_logged_once_a_minute(limits: Limit, caplog: pytest.LogCaptureFixture) -> None:
    for now in (0, 30, 60):
        _admitted(limits, ANN, times=1_000, now=now)

    told = [
        (record.levelname, record.__dict__["organization_id"], record.__dict__["user_id"]) for record in caplog.records
    ]
    assert told == [("WARNING", "acme", "ann")] * 2


def test_requests_of_a_bounded_number_of_users_are_counted(limits: Limit) -> None:
    _admitted(limits, ANN, times=1_000, now=0)

    for number in range(MAX_CALLERS):
        _admitted(limits, ("acme", f"m{number}"), times=1, now=0)

    assert _admitted(limits, ANN, times=1_000, now=0) == BURST
