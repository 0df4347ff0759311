"""Credentials: where the ID token of a request comes from."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from seatlease.errors import SeatleaseError, SignInRequired
from seatlease.refresh_token import RefreshToken

__all__ = ["Credentials", "CredentialsLike", "FromCallable", "IdToken", "RefreshToken", "as_credentials"]


class Credentials(Protocol):
    """Gives ID tokens. Called on the client's own background thread, for every request."""

    async def id_token(self, *, refresh: bool = False) -> str:
        """Give an ID token that is valid for some minutes yet.

        ``refresh`` asks for another one than the last, which the service called expired or invalid.

        Raises:
            SignInRequired: there is none to be had without the user.
            ServiceUnreachable: it cannot be had at the moment.
        """
        ...


_GivesToken: TypeAlias = Callable[[], str | Awaitable[str]]
CredentialsLike: TypeAlias = Credentials | _GivesToken | str
"""What a program may pass as ``credentials``."""


class FromCallable:
    """Credentials from a function of the program's own, sync or async, that gives an ID token.

    It is called for every request, and does its own caching. A sync one runs on a thread of its own, an async one on
    the client's event loop, where it must not block. What it raises becomes ``SignInRequired``, except Seatlease's own
    errors.
    """

    def __init__(self, function: _GivesToken) -> None:
        """Keep it. It is not called yet."""
        self._function = function

    def __repr__(self) -> str:
        """Show none of it: a partial's or a bound method's own text may hold a token."""
        return "FromCallable(...)"

    async def id_token(self, *, refresh: bool = False) -> str:  # noqa: ARG002 each call asks anew anyway
        """Call it.

        Raises:
            SignInRequired: it raised something, or gave something that is no token.
            SeatleaseError: whatever of these it raised.
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
    """Credentials from one ID token. It lasts an hour at most: for scripts, and for trying things out."""

    def __init__(self, id_token: str) -> None:
        """Keep it."""
        self._id_token = id_token

    def __repr__(self) -> str:
        """Show none of it."""
        return "IdToken(...)"

    async def id_token(self, *, refresh: bool = False) -> str:
        """Give it.

        Raises:
            SignInRequired: another one was asked for, since this one is over, or it was none.
        """
        if refresh:
            message = "The ID token is not valid any more. Please sign in again."
            raise SignInRequired(message)
        return _checked(self._id_token)


def as_credentials(given: CredentialsLike) -> Credentials:
    """Take what a program passes: credentials, a function that gives an ID token, or an ID token.

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
    message = f"credentials are a RefreshToken, a function that gives an ID token, or an ID token; not {type(given)}"
    raise TypeError(message)


class _Raised:
    """What a function raised, by its name only."""

    def __init__(self, name: str) -> None:
        self.name = name


def _called(function: Callable[[], object]) -> object:
    """Call it on its thread. Caught there: a future cannot carry StopIteration, and would never end."""
    try:
        return function()
    except SeatleaseError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 whatever the program's function raises
        return _Raised(type(error).__name__)


def _checked(given: object) -> str:
    """Refuse what would not make a header, before anything that shows it."""
    token = given.strip() if isinstance(given, str) else ""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        message = "This program has no valid ID token. Please sign in again."
        raise SignInRequired(message)
    return token
