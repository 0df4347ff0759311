"""``seatlease login``, ``logout`` and ``token``: a sign-in that is kept on this machine, and a token of it."""

import asyncio
import getpass
import os
import sys
import threading
import webbrowser
from functools import partial
from typing import Annotated

import typer

from seatlease._service import stored
from seatlease._service.browser_sign_in import NotOffered, ToConfirm, sign_in_through_browser
from seatlease._service.given import stripped
from seatlease._service.sign_in import SignedIn, sign_in
from seatlease.cli.environment import ApiKey, Url, find_credentials
from seatlease.cli.saying import Misconfigured, explained, say
from seatlease.errors import SignInRequired

_Email = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Sign in this account with its password, which login asks for.")
]
_Browser = Annotated[
    bool, typer.Option("--browser", help="Sign in through a browser on this machine. On a terminal it is the default.")
]
_Device = Annotated[
    bool, typer.Option("--device", help="Sign in through a browser on any machine: type there the code that is shown.")
]
_INTERRUPTED = 130  # as in shells


def login(
    *, url: Url, api_key: ApiKey, email: _Email = None, browser: _Browser = False, device: _Device = False
) -> None:
    """Sign in through a browser, or with a password.

    Without a terminal, it reads address and password from standard input, one line each. With --email, it reads only
    the password. --browser and --device need no terminal.
    """
    if (email is not None) + browser + device > 1:
        message = "--email, --browser and --device are three ways to sign in: choose one"
        raise typer.BadParameter(message)
    with explained():
        try:
            signed_in = _signed_in(url, api_key, email=email, browser=browser, device=device)
        except KeyboardInterrupt:
            say("interrupted: nobody was signed in")
            raise typer.Exit(_INTERRUPTED) from None
        kept = stored.StoredSignIn(
            url=url, api_key=stripped(api_key), email=signed_in.email, refresh_token=signed_in.refresh_token
        )
        try:
            stored.save(kept)
        except OSError as error:
            message = f"the sign-in cannot be saved on this machine: {error}"
            raise Misconfigured(message) from None
        say(f"signed in as {signed_in.email} at {url}")


def _signed_in(url: str, api_key: str, *, email: str | None, browser: bool, device: bool) -> SignedIn:
    if browser or device or (email is None and sys.stdin.isatty()):
        tell = partial(_show, opens=not device)
        through_browser = sign_in_through_browser(service_url=url, api_key=api_key, listen=not device, tell=tell)
        try:
            return asyncio.run(through_browser)
        except NotOffered:
            message = "This service offers no sign-in through a browser."
            if browser or device:
                raise SignInRequired(message) from None
            say(f"{message} Sign in with a password.")
    address = email or _asked("E-mail: ")
    return asyncio.run(sign_in(address, _asked("Password: ", is_secret=True), api_key=api_key, service_url=url))


def _show(confirm: ToConfirm, *, opens: bool) -> None:
    """Say where a person confirms, and open the page if a browser may be on this machine."""
    minutes = round(confirm.within_seconds / 60)
    if confirm.user_code is not None:
        say(f"open {confirm.page} on any machine, and type the code {confirm.user_code}")
        say(f"waiting {minutes} minutes for you to confirm; Ctrl-C gives up")
        return
    say(f"confirm in your browser, on this machine: {confirm.page}")
    say(f"waiting {minutes} minutes for you to confirm; Ctrl-C gives up")
    say("is your browser on another machine? Then run: seatlease login --device")
    if opens and _has_browser():
        # In the background: some browsers run until they are closed.
        threading.Thread(target=webbrowser.open, args=(confirm.page,), daemon=True).start()


def _has_browser() -> bool:
    """Whether there is a screen to show a browser on. A browser in the terminal would take the terminal."""
    return sys.platform in {"win32", "darwin"} or any(
        os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    )


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
