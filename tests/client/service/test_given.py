"""Secrets lose what came along unseen; what is wrong with them is said."""

import json

import jwt
import pytest

import seatlease
from seatlease import RequestRefused, SignInRequired
from seatlease._service.credentials import IdToken, RefreshToken
from seatlease._service.given import stripped
from seatlease._service.keys import Keys
from seatlease.cli.environment import find_credentials
from seatlease.testing import FakeService
from tests.client.answering import answering, exchanged, refused
from tests.client.rough import Rough, refusal

_UNSEEN = [("", "\n"), ("", "\r\n"), (" ", "\t"), ("\ufeff", "\n"), ("\u200b\ufeff ", " \ufeff\n")]


@pytest.mark.parametrize(("before", "after"), _UNSEEN)
async def test_what_stands_around_a_secret_unseen_is_not_part_of_it(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    def around(text: str) -> str:
        return before + text + after

    monkeypatch.setenv("SEATLEASE_HARDWARE_ID", around("runner 1"))
    monkeypatch.setenv("SEATLEASE_REFRESH_TOKEN", around("refresh-secret"))
    monkeypatch.setenv("SEATLEASE_API_KEY", around("public-key"))
    service = FakeService()
    with answering(exchanged(1)) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", around(server.host))
        await find_credentials("http://localhost:1").credentials.id_token()

    with service.seat(license_key=around(service.license_key)) as seat:
        assert seat.lease is not None

    ((path, body),) = server.heard
    assert path.endswith("?key=public-key")
    assert body.endswith("refresh_token=refresh-secret")
    assert seatlease.hardware_id("KEY") == "runner 1"
    assert stripped(around("two words")) == "two words"
    assert await IdToken(around("a.b.c")).id_token() == "a.b.c"
    assert Keys.pinned(around(json.dumps(service.keys.jwks))).jwks == service.keys.jwks


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("API_KEY_HTTP_REFERRER_BLOCKED", "restricted to web sites"),
        ("API_KEY_IP_ADDRESS_BLOCKED", "restricted to other IP addresses"),
        ("API_KEY_ANDROID_APP_BLOCKED", "restricted to Android apps"),
        ("API_KEY_SERVICE_BLOCKED", "restricted to other APIs"),
    ],
)
async def test_a_restricted_api_key_is_named_as_such(monkeypatch: pytest.MonkeyPatch, reason: str, says: str) -> None:
    answer = refused("Requests are blocked.", status=403, details=[{"reason": reason}])
    with answering(answer) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", server.host)

        with pytest.raises(RequestRefused, match=says) as refusal_:
            await RefreshToken("r", api_key="k").id_token()

    assert "Token Service API" in refusal_.value.message
    assert refusal_.value.code == "API_KEY_RESTRICTED"


class _Own:
    """Credentials whose tokens are these, one for each refresh."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.refreshed = 0

    async def id_token(self, *, refresh: bool = False) -> str:
        self.refreshed += refresh
        return self._tokens[min(self.refreshed, len(self._tokens) - 1)]


_TOKENS = [jwt.encode({"sub": "user-1", "n": number}, key="", algorithm="none") for number in range(2)]


def test_a_user_who_was_added_a_moment_ago_gets_a_seat_with_a_newer_token() -> None:
    service, credentials = FakeService(), _Own(*_TOKENS)
    rough = Rough(service, refusal("NO_ORGANIZATION", status=403))

    with service.seat(credentials=credentials, transport=rough):
        assert credentials.refreshed == 1

    assert [request.headers["Authorization"][-1] for request in rough.asked[:2]] == [token[-1] for token in _TOKENS]


@pytest.mark.parametrize("credentials", [_Own(_TOKENS[0]), IdToken(_TOKENS[0])], ids=["the same token", "no other"])
def test_a_user_who_is_not_listed_is_asked_about_once_for_each_token(credentials: _Own | IdToken) -> None:
    service = FakeService()
    rough = Rough(service, refusal("NO_ORGANIZATION", status=403))

    with pytest.raises(seatlease.NotEntitled) as refused_:
        service.seat(credentials=credentials, transport=rough).acquire()

    assert refused_.value.code == "NO_ORGANIZATION"
    assert len(rough.asked) == 1


def test_a_token_too_long_for_the_service_is_told_with_its_length() -> None:
    service = FakeService()
    token = jwt.encode({"sub": "user-1", "groups": "g" * 40_000}, key="", algorithm="none")

    with pytest.raises(SignInRequired, match=f"has {len(token):,} characters, and the license service takes 32,768"):
        service.seat(credentials=token).acquire()
