"""Sign-in: what is sent, and what answers become that the emulator does not give."""

import json
import logging
import traceback

import pytest

from seatlease._service import first_answer
from seatlease._service.sign_in import sign_in
from seatlease.errors import RequestRefused, SeatleaseError, ServiceUnreachable, SignInRequired
from tests.client.answering import Answer, answering, refused, told

_PASSWORD = "pass-secret"
_SIGNED_IN = told({"localId": "u1", "email": "ada@example.com", "idToken": "id-secret", "refreshToken": "r-secret"})


async def test_the_password_is_sent_in_the_body_and_shows_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with answering(_SIGNED_IN) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", server.host)

        signed_in = await sign_in(" ada@example.com ", " pass-secret ", api_key="public-key")

    (path, body), *more = server.heard
    assert path == "/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=public-key"
    assert json.loads(body) == {"email": "ada@example.com", "password": " pass-secret ", "returnSecureToken": True}
    assert more == []
    assert signed_in.refresh_token == "r-secret"
    assert "secret" not in repr(signed_in) + caplog.text


@pytest.mark.parametrize(
    ("answer", "error", "match"),
    [
        (refused("INVALID_LOGIN_CREDENTIALS"), SignInRequired, "address or the password is wrong"),
        (
            refused("TOO_MANY_ATTEMPTS_TRY_LATER : Access to this account is disabled for some time."),
            SignInRequired,
            "too many attempts",
        ),
        (told({"localId": "u1", "mfaPendingCredential": "c", "mfaInfo": []}), SignInRequired, "second factor"),
        (refused("PASSWORD_LOGIN_DISABLED"), RequestRefused, "PASSWORD_LOGIN_DISABLED"),
        (refused("CONFIGURATION_NOT_FOUND"), RequestRefused, "CONFIGURATION_NOT_FOUND"),
        (refused(f"Invalid value: {_PASSWORD}", status=400), RequestRefused, "400"),
        (told({"localId": "u1", "email": "ada@example.com"}), ServiceUnreachable, "incomplete"),
        (Answer(status=503, content=b"<html>"), ServiceUnreachable, "something else answered"),
    ],
)
async def test_each_refusal_says_what_to_do_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[SeatleaseError], match: str
) -> None:
    monkeypatch.setattr(first_answer, "WITHIN_SECONDS", 0.0)
    with answering(answer) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", server.host)

        with pytest.raises(error, match=match) as raised:
            await sign_in("ada@example.com", _PASSWORD, api_key="k")

    assert _PASSWORD not in "".join(traceback.format_exception(raised.value))
