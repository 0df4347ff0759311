"""A refresh token: when it is exchanged, what is remembered, what failures become, and that nothing of it shows."""

import asyncio
import logging
import traceback
from collections.abc import Iterator

import httpx
import pytest

from seatlease._service import firebase, refresh_token
from seatlease._service.credentials import RefreshToken
from seatlease.errors import RequestRefused, SeatleaseError, ServiceUnreachable, SignInRequired
from tests.client.answering import Answer, Answering, answering, exchanged, refused, told

_FIRST = "refresh-secret-0"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """A server in Firebase's place that gives token 1, 2, 3, ..."""
    with answering(*(exchanged(number) for number in range(1, 9))) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", server.host)
        yield server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that counts sleep, set by hand."""
    hands = [1000.0]
    monkeypatch.setattr(refresh_token, "elapsed", lambda: hands[0])
    return hands


def _credentials(**more: object) -> RefreshToken:
    return RefreshToken(_FIRST, api_key="public-key", **more)  # type: ignore[arg-type] # whatever the test passes on


async def test_an_id_token_is_kept_until_five_minutes_before_its_expiry(asked: Answering, clock: list[float]) -> None:
    credentials = _credentials()

    first = await credentials.id_token()
    clock[0] += 3600 - 300 - 1
    kept = await credentials.id_token()
    clock[0] += 1
    second = await credentials.id_token()

    assert [first, kept, second] == ["id-secret-1", "id-secret-1", "id-secret-2"]
    assert len(asked.heard) == 2


@pytest.mark.parametrize(
    ("expires_in", "seconds"), [("20", 10), ("inf", 3300), ("-5", 0), ("nan", 0), ("soon", 0), ("", 0)]
)
async def test_an_id_token_is_never_believed_for_longer_than_it_can_last(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], expires_in: str, seconds: int
) -> None:
    with answering(exchanged(1, expires_in=expires_in), exchanged(2)) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", server.host)
        credentials = _credentials()

        await credentials.id_token()
        clock[0] += seconds - 0.5 if seconds else 0
        before = await credentials.id_token()
        clock[0] += 0.5
        after = await credentials.id_token()

    assert before == ("id-secret-1" if seconds else "id-secret-2")
    assert after == "id-secret-2"


async def test_callers_at_once_share_one_exchange(asked: Answering) -> None:
    credentials = _credentials()

    given = await asyncio.gather(*(credentials.id_token() for _ in range(5)))
    again = await asyncio.gather(*(credentials.id_token(refresh=True) for _ in range(5)))

    assert given == ["id-secret-1"] * 5
    assert again == ["id-secret-2"] * 5
    assert len(asked.heard) == 2


def test_it_serves_another_event_loop_even_when_the_first_left_in_the_middle_of_an_exchange(asked: Answering) -> None:
    credentials = _credentials()
    asked.gate.clear()

    async def leave_in_the_middle() -> None:
        waiting = [asyncio.create_task(credentials.id_token()) for _ in range(2)]
        assert await asyncio.to_thread(asked.came.wait, 20)
        for each in waiting:
            each.cancel()

    asyncio.run(leave_in_the_middle())
    asked.gate.set()

    async def two() -> list[str]:
        return list(await asyncio.gather(credentials.id_token(), credentials.id_token()))

    assert asyncio.run(two()) == ["id-secret-2"] * 2


async def test_a_rotated_refresh_token_is_told_and_used_from_then_on(asked: Answering) -> None:
    kept: list[str] = []
    credentials = _credentials(on_rotated=kept.append)

    await credentials.id_token()
    await credentials.id_token(refresh=True)

    assert kept == ["refresh-secret-1", "refresh-secret-2"]
    assert [body.rpartition("=")[2] for _, body in asked.heard] == [_FIRST, "refresh-secret-1"]


@pytest.mark.usefixtures("asked")
async def test_a_program_that_cannot_keep_a_rotated_token_is_signed_in_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(token: str) -> None:
        raise OSError(token)

    assert await _credentials(on_rotated=fails).id_token() == "id-secret-1"
    assert "on_rotated failed (OSError)" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (refused("TOKEN_EXPIRED"), SignInRequired, "TOKEN_EXPIRED"),
        (refused("USER_DISABLED"), SignInRequired, "USER_DISABLED"),
        (refused("USER_NOT_FOUND"), SignInRequired, "USER_NOT_FOUND"),
        (refused("INVALID_REFRESH_TOKEN"), SignInRequired, "INVALID_REFRESH_TOKEN"),
        (refused("MISSING_REFRESH_TOKEN"), SignInRequired, "MISSING_REFRESH_TOKEN"),
        (refused("TOKEN_EXPIRED : the password was changed"), SignInRequired, "TOKEN_EXPIRED"),
        (refused("API key not valid. Please pass a valid API key."), RequestRefused, "API_KEY_INVALID"),
        (
            refused("Requests are blocked.", status=403, details=[{"reason": "API_KEY_SERVICE_BLOCKED"}]),
            RequestRefused,
            "API_KEY_RESTRICTED",
        ),
        (refused("INVALID_GRANT_TYPE"), RequestRefused, "INVALID_GRANT_TYPE"),
        (refused(f"No such value: {_FIRST}", status=400), RequestRefused, None),
        (refused("INTERNAL", status=500), ServiceUnreachable, "INTERNAL"),
        (refused("QUOTA_EXCEEDED : slow down", status=429), ServiceUnreachable, "QUOTA_EXCEEDED"),
        (Answer(status=200, content=b"<html>Pay for the Wi-Fi</html>", content_type="text/html"), None, None),
        (Answer(status=302, content=b"", content_type="text/html"), None, None),
        (Answer(status=407, content=b"<html>Proxy</html>", content_type="text/html"), None, None),
        (Answer(status=502, content=b"<html>Bad gateway</html>", content_type="text/html"), None, None),
        (Answer(status=400, content=b'"TOKEN_EXPIRED"'), None, None),
        (Answer(status=400, content=b'{"error": "TOKEN_EXPIRED"}'), None, None),
        (Answer(content=b"[" * 100_000), None, None),
        (Answer(content=b" " * 1_000_001), None, None),
        (told({}), None, None),
        (told({"id_token": 7, "refresh_token": "r"}), None, None),
        (told({"id_token": "i", "refresh_token": ""}), None, None),
    ],
)
async def test_each_answer_but_a_token_becomes_an_error_that_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[SeatleaseError] | None, code: str | None
) -> None:
    with answering(answer) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", server.host)

        with pytest.raises(SeatleaseError) as raised:
            await _credentials().id_token()

    assert type(raised.value) is (error or ServiceUnreachable)
    assert raised.value.code == code
    assert _FIRST not in "".join(traceback.format_exception(raised.value))


async def test_no_answer_is_an_outage_and_the_next_try_is_free(
    monkeypatch: pytest.MonkeyPatch, asked: Answering
) -> None:
    monkeypatch.setattr(firebase, "ANSWER_WITHIN_SECONDS", 0.2)
    credentials = _credentials()
    asked.gate.clear()

    with pytest.raises(ServiceUnreachable, match="did not answer in time"):
        await credentials.id_token()
    asked.gate.set()
    monkeypatch.setattr(firebase, "ANSWER_WITHIN_SECONDS", 10)

    # The first or the second: on a busy machine the question that was given up may never have arrived.
    assert await credentials.id_token() in {"id-secret-1", "id-secret-2"}


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1", "[::1]:1"])
async def test_nobody_there_is_an_outage(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", host)

    with pytest.raises(ServiceUnreachable, match="cannot be reached") as raised:
        await _credentials().id_token()

    # httpx's errors hold the request.
    assert not isinstance(raised.value.__context__, httpx.HTTPError)


@pytest.mark.parametrize("named", ["http://127.0.0.1:9099", "me@127.0.0.1:9099", "127.0.0.1:no-port", "[::"])
async def test_an_emulator_of_another_form_is_refused(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", named)

    with pytest.raises(RequestRefused, match="HOST:PORT"):
        await _credentials().id_token()


async def test_nothing_of_a_token_shows_in_texts_logs_or_addresses(
    asked: Answering, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    credentials = _credentials(on_rotated=lambda _: None)

    await credentials.id_token()

    assert "secret" not in f"{credentials} {credentials!r} {credentials._kept!r}"  # noqa: SLF001 debuggers show it
    assert "HTTP Request: POST" in caplog.text
    assert "secret" not in caplog.text
    path, _ = asked.heard[0]
    assert path == "/securetoken.googleapis.com/v1/token?key=public-key"


ON_THIS_MACHINE = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("emulator", "service_url"),
    [
        ("", ON_THIS_MACHINE),
        ("127.0.0.1:9099", "https://licenses.example.com"),
        ("127.0.0.1:9099", "HTTPS://licenses.example.com"),
        ("http://127.0.0.1:9099", "https://licenses.example.com"),
        ("192.0.2.2:9099", ON_THIS_MACHINE),
        ("192.0.2.2:9099", None),
        ("firebase.internal:9099", ON_THIS_MACHINE),
        ("localhost.example.com:9099", ON_THIS_MACHINE),
        ("127.0.0.1.example.com:9099", None),
        ("2130706433:9099", None),
    ],
)
def test_without_an_emulator_on_this_machine_or_for_a_service_at_https_firebase_itself_is_asked(
    monkeypatch: pytest.MonkeyPatch, emulator: str, service_url: str | None
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", emulator)

    exchange, sign_in = (each.url(service_url=service_url) for each in (firebase.SECURE_TOKEN, firebase.SIGN_IN))

    assert exchange == "https://securetoken.googleapis.com/v1/token"
    assert sign_in == "https://identitytoolkit.googleapis.com/v1/accounts:signInWithPassword"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10", "[::1]"])
@pytest.mark.parametrize("service_url", [ON_THIS_MACHINE, None])
def test_an_emulator_on_this_machine_is_asked(
    monkeypatch: pytest.MonkeyPatch, host: str, service_url: str | None
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", f"{host}:9099")

    url = firebase.SECURE_TOKEN.url(service_url=service_url)

    assert url == f"http://{host}:9099/securetoken.googleapis.com/v1/token"


async def test_a_token_that_also_serves_a_service_at_https_goes_to_no_emulator(
    asked: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # nobody asks Google from here
    credentials = _credentials()
    for url in (ON_THIS_MACHINE, "https://licenses.example.com", ON_THIS_MACHINE):
        credentials.serve(url)

    with pytest.raises(ServiceUnreachable):
        await credentials.id_token()

    assert asked.heard == []
