"""``seatlease login``, ``logout`` and ``token``: a sign-in that is kept on this machine, and a token of it."""

import asyncio
import getpass
import sys
from typing import Annotated

import typer

from seatlease._service import stored
from seatlease._service.sign_in import sign_in
from seatlease.cli.environment import ApiKey, Url, find_credentials
from seatlease.cli.saying import Misconfigured, explained, say
from seatlease.errors import SignInRequired

_Email = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Sign in this account. Without it, login asks for the address.")
]


def login(*, url: Url, api_key: ApiKey, email: _Email = None) -> None:
    """Sign in with an e-mail address and a password.

    Without a terminal, it reads both from standard input, one line each. With --email, it reads only the password.
    """
    with explained():
        address = email or _asked("E-mail: ")
        signed_in = asyncio.run(
            sign_in(address, _asked("Password: ", is_secret=True), api_key=api_key, service_url=url)
        )
        kept = stored.StoredSignIn(
            url=url, api_key=api_key, email=signed_in.email, refresh_token=signed_in.refresh_token
        )
        try:
            stored.save(kept)
        except OSError as error:
            message = f"the sign-in cannot be saved on this machine: {error}"
            raise Misconfigured(message) from None
        say(f"signed in as {signed_in.email} at {url}")


def _asked(prompt: str, *, is_secret: bool = False) -> str:
    if sys.stdin.isatty():
        if is_secret:
            return getpass.getpass(prompt, stream=sys.stderr)
        sys.stderr.write(prompt)
        sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        message = f"There is no {prompt.partition(':')[0]} on standard input."
        raise SignInRequired(message)
    return line.rstrip("\r\n")


def logout(*, url: Url) -> None:
    """Remove the sign-in saved on this machine."""
    with explained():
        try:
            was_there = stored.forget(url)
        except OSError as error:
            message = f"the sign-in was not removed: {error}"
            raise Misconfigured(message) from None
        say(f"signed out of {url}" if was_there else f"nobody was signed in at {url}")


def token(*, url: Url) -> None:
    """Print an ID token, for requests of your own.

    It lasts at most an hour. Like a password, it is not for logs.
    """
    with explained():
        typer.echo(asyncio.run(find_credentials(url).credentials.id_token()))
