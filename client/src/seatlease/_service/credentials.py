"""Credentials: where the ID token of a request comes from."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import jwt

from seatlease._service.given import stripped
from seatlease._service.refresh_token import RefreshToken
from seatlease.errors import SeatleaseError, SignInRequired

__all__ = ["Credentials", "CredentialsLike", "FromCallable", "IdToken", "RefreshToken", "as_credentials"]


class Credentials(Protocol):
    """Gives ID tokens. The client calls it on its own background thread, for every request."""

    async def id_token(self, *, refresh: bool = False) -> str:
        """Give an ID token that is valid for at least some more minutes.

        ``refresh`` asks for a new one, because the service refused the last as expired or invalid, or because it names
        no organization yet.

        Raises:
            SignInRequired: the user has to sign in again.
            ServiceUnreachable: no token can be had at the moment.
        """
        ...


_GivesToken: TypeAlias = Callable[[], str | Awaitable[str]]
CredentialsLike: TypeAlias = Credentials | _GivesToken | str
"""What a program may pass as ``credentials``."""


class FromCallable:
    """Credentials from a function of the program, sync or async, that returns an ID token.

    The client calls it for every request, so it should cache. A sync function runs on a thread of its own, an async one
    on the client's event loop, where it must not block. What it raises becomes ``SignInRequired``, except Seatlease's
    own errors.
    """

    def __init__(self, function: _GivesToken) -> None:
        self._function = function

    def __repr__(self) -> str:
        """Show nothing: the text of a partial or a bound method may contain a token."""
        return "FromCallable(...)"

    async def id_token(self, *, refresh: bool = False) -> str:  # noqa: ARG002 each call asks anew anyway
        """Call the function.

        Raises:
            SignInRequired: it raised something else, or returned something that is not a token.
            SeatleaseError: the function raised it.
        """
        given = await self._call()
        if isinstance(given, _Raised):
            message = f"This program could not get an ID token ({given.name}). Please sign in again."
            raise SignInRequired(message)
        return _checked(given)

    async def _call(self) -> object:
        try:
            if inspect.iscoroutinefunction(self._function):
                return await self._function()
            given = await asyncio.get_running_loop().run_in_executor(None, _called, self._function)
            return await given if inspect.isawaitable(given) else given
        except SeatleaseError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 whatever the program's function raises
            # A value, not a chained error: its text, and the frames it holds, may show a token.
            return _Raised(type(error).__name__)


class IdToken:
    """Credentials from one ID token, which lasts at most an hour: for scripts, and for trying things out."""

    def __init__(self, id_token: str) -> None:
        self._id_token = id_token

    def __repr__(self) -> str:
        return "IdToken(...)"

    async def id_token(self, *, refresh: bool = False) -> str:
        """Give the token.

        Raises:
            SignInRequired: it has expired, or is not a token.
        """
        if refresh:
            raise SignInRequired(_why_refused(self._id_token))
        return _checked(self._id_token)


def as_credentials(given: CredentialsLike) -> Credentials:
    """Turn what a program passes into credentials: credentials, a function that returns an ID token, or an ID token.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(given, str):
        return IdToken(given)
    if not isinstance(given, type):
        if inspect.iscoroutinefunction(getattr(given, "id_token", None)):
            return given  # type: ignore[return-value] # asked just now; a Protocol cannot be asked with its arguments
        if callable(given):
            return FromCallable(given)
    message = (
        f"credentials must be a RefreshToken, a function that returns an ID token, or an ID token; not {type(given)}"
    )
    raise TypeError(message)


def _why_refused(id_token: str) -> str:
    """Say what is wrong with a token that the service refused, as far as the token itself shows it."""
    try:
        jwt.decode(id_token, options={"verify_signature": False, "verify_exp": True})
    except jwt.ExpiredSignatureError:
        return "The ID token has expired. Please sign in again."
    except jwt.PyJWTError:
        return "What was given as the ID token is not one. Please give an ID token of Firebase Authentication."
    return "The service does not take this ID token. Please sign in again, in the Firebase project of this service."


class _Raised:
    """The name of what a function raised, and nothing else of it."""

    def __init__(self, name: str) -> None:
        self.name = name


def _called(function: Callable[[], object]) -> object:
    """Call it on its thread. Errors are caught there: a future cannot carry StopIteration and would never end."""
    try:
        return function()
    except SeatleaseError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 whatever the program's function raises
        return _Raised(type(error).__name__)


def _checked(given: object) -> str:
    """Refuse what cannot be sent in a header, before an error could show it."""
    token = stripped(given) if isinstance(given, str) else ""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        message = "This program has no valid ID token. Please sign in again."
        raise SignInRequired(message)
    return token
