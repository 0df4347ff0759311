"""Environment: the credentials in it, and the part of it that a program sees."""

import os
from dataclasses import dataclass

from seatlease._service import stored
from seatlease._service.credentials import Credentials, IdToken, RefreshToken
from seatlease.cli.saying import Misconfigured
from seatlease.errors import SignInRequired

ID_TOKEN = "SEATLEASE_ID_TOKEN"  # noqa: S105 the variable's name
REFRESH_TOKEN = "SEATLEASE_REFRESH_TOKEN"  # noqa: S105 as above
API_KEY = "SEATLEASE_API_KEY"
SESSION_ID = "SEATLEASE_SESSION_ID"


@dataclass(frozen=True, kw_only=True)
class Found:
    """Credentials, and where they come from, in words."""

    credentials: Credentials
    origin: str


def find_credentials(url: str) -> Found:
    """Find credentials for the service of this address: in the environment, or else a stored sign-in.

    Raises:
        SignInRequired: there are none.
        Misconfigured: they cannot be used.
    """
    if id_token := os.environ.get(ID_TOKEN):
        return Found(credentials=IdToken(id_token), origin=ID_TOKEN)
    if refresh_token := os.environ.get(REFRESH_TOKEN):
        api_key = os.environ.get(API_KEY)
        if not api_key:
            message = f"{REFRESH_TOKEN} needs {API_KEY} too: the Web API key of the Firebase project."
            raise Misconfigured(message)
        return Found(credentials=RefreshToken(refresh_token, api_key=api_key), origin=REFRESH_TOKEN)
    try:
        kept = stored.load(url)
    except OSError as error:
        message = f"the sign-in saved on this machine cannot be read: {error}"
        raise Misconfigured(message) from None
    if kept is None:
        message = f"Nobody is signed in at {url}: run seatlease login, or set {ID_TOKEN} or {REFRESH_TOKEN}."
        raise SignInRequired(message)
    return Found(credentials=kept, origin="a stored sign-in")


def for_program(session_id: str) -> dict[str, str]:
    """Give the program's environment: ours with the session's id, and without the tokens."""
    ours = {name: value for name, value in os.environ.items() if name not in {ID_TOKEN, REFRESH_TOKEN}}
    return {**ours, SESSION_ID: session_id}
