"""What a program may pass as credentials, and what becomes of what it raises."""

import functools
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from seatlease._service.credentials import FromCallable, IdToken, RefreshToken, as_credentials
from seatlease.errors import NotEntitled, ServiceUnreachable, SignInRequired

_TOKEN = "id-secret-token"


async def _gives(token: object = _TOKEN) -> Any:  # noqa: ANN401 tests give what is no token
    return token


class _Gives:
    async def __call__(self) -> str:
        return _TOKEN


@pytest.mark.parametrize(
    "given",
    [
        _TOKEN,
        f"  {_TOKEN}\n",
        lambda: _TOKEN,
        _gives,
        functools.partial(_gives, _TOKEN),
        lambda: _gives(_TOKEN),
        _Gives(),
        IdToken(_TOKEN),
        FromCallable(lambda: _TOKEN),
    ],
)
async def test_a_token_a_function_of_either_kind_and_credentials_all_give_a_token(given: Any) -> None:  # noqa: ANN401
    assert await as_credentials(given).id_token() == _TOKEN


def test_credentials_are_taken_as_they_are() -> None:
    credentials = RefreshToken("r", api_key="k")

    assert as_credentials(credentials) is credentials


@pytest.mark.parametrize("given", [None, 7, b"token", RefreshToken, {"id_token": "secret"}])
def test_anything_else_is_a_fault_in_the_program_that_shows_no_value(given: Any) -> None:  # noqa: ANN401 as said
    with pytest.raises(TypeError, match="credentials must be") as raised:
        as_credentials(given)

    assert "secret" not in str(raised.value)


async def test_a_sync_function_is_called_for_every_request_and_never_on_the_event_loop() -> None:
    called_on: list[int] = []

    def function() -> str:
        called_on.append(threading.get_ident())
        return f"token-{len(called_on)}"

    credentials = FromCallable(function)

    given = [await credentials.id_token(), await credentials.id_token(refresh=True)]

    assert given == ["token-1", "token-2"]
    assert threading.get_ident() not in called_on


def _raising(error: BaseException) -> list[Callable[[], Any]]:
    def sync() -> str:
        raise error

    async def asynchronous() -> str:
        raise error

    def of_both_kinds() -> Any:  # noqa: ANN401 an awaitable, from a function that does not look like it
        return asynchronous()

    return [sync, asynchronous, of_both_kinds]


@pytest.mark.parametrize("error", [ValueError(_TOKEN), KeyError(_TOKEN), StopIteration(_TOKEN), SystemExit(_TOKEN)])
async def test_what_a_function_raises_means_signing_in_again_and_shows_no_value(error: BaseException) -> None:
    for function in _raising(error):
        with pytest.raises(SignInRequired, match="could not get an ID token") as raised:
            await FromCallable(function).id_token()

        assert _TOKEN not in "".join(traceback.format_exception(raised.value))
        assert raised.value.__context__ is None


@pytest.mark.parametrize("error", [ServiceUnreachable("offline"), NotEntitled("no")])
async def test_an_error_of_seatlease_passes_through(error: Exception) -> None:
    for function in _raising(error):
        with pytest.raises(type(error)) as raised:
            await FromCallable(function).id_token()

        assert raised.value is error


@pytest.mark.parametrize("given", ["", "  ", None, 7, b"token", "two tokens", "line\nbreak", "tökén", "nul\x00"])
async def test_what_is_no_token_means_signing_in_again(given: Any) -> None:  # noqa: ANN401 as said
    for credentials in (FromCallable(lambda: given), FromCallable(functools.partial(_gives, given)), IdToken(given)):
        with pytest.raises(SignInRequired, match="no valid ID token"):
            await credentials.id_token()


async def test_a_token_of_a_script_cannot_be_renewed() -> None:
    with pytest.raises(SignInRequired):
        await IdToken(_TOKEN).id_token(refresh=True)


@pytest.mark.parametrize(
    "credentials", [IdToken(_TOKEN), FromCallable(functools.partial(str, _TOKEN)), RefreshToken(_TOKEN, api_key="k")]
)
def test_no_credentials_show_what_they_hold(credentials: object) -> None:
    assert _TOKEN not in f"{credentials} {credentials!r}"
