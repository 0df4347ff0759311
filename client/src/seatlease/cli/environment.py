"""Options and environment variables that several commands share, and credentials made of them."""

import json
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from seatlease._service import stored
from seatlease._service.address import base_of, refuse_in_clear
from seatlease._service.credentials import Credentials, IdToken, RefreshToken
from seatlease._service.given import stripped
from seatlease._service.keys import Keys
from seatlease._service.service import Service
from seatlease.cli.saying import Misconfigured, duration
from seatlease.errors import RequestRefused, SignInRequired
from seatlease.lease import Lease

ID_TOKEN = "SEATLEASE_ID_TOKEN"  # noqa: S105 the variable's name
REFRESH_TOKEN = "SEATLEASE_REFRESH_TOKEN"  # noqa: S105 as above
API_KEY = "SEATLEASE_API_KEY"
SESSION_ID = "SEATLEASE_SESSION_ID"
FEATURES = "SEATLEASE_FEATURES"
HARDWARE_ID = "SEATLEASE_HARDWARE_ID"


@dataclass(frozen=True, kw_only=True)
class Found:
    """Credentials, and where they come from, in words."""

    credentials: Credentials
    origin: str
    is_stored: bool = False


class _FromTheEnvironment(IdToken):
    async def id_token(self, *, refresh: bool = False) -> str:
        """Name the variable in a refusal: it goes before a stored sign-in, so a sign-in would change nothing."""
        try:
            return await super().id_token(refresh=refresh)
        except SignInRequired as error:
            message = f"{error.message} First unset {ID_TOKEN}, or set it to a new token."
            raise SignInRequired(message) from None


def find_credentials(url: str) -> Found:
    """Find credentials for the service of this address: in the environment, or else a stored sign-in.

    Raises:
        SignInRequired: there are none.
        Misconfigured: they cannot be used.
    """
    if id_token := stripped(os.environ.get(ID_TOKEN, "")):
        return Found(credentials=_FromTheEnvironment(id_token), origin=ID_TOKEN)
    if refresh_token := stripped(os.environ.get(REFRESH_TOKEN, "")):
        api_key = stripped(os.environ.get(API_KEY, ""))
        if not api_key:
            message = f"{REFRESH_TOKEN} needs {API_KEY} too: the Web API key of the Firebase project."
            raise Misconfigured(message)
        credentials = RefreshToken(refresh_token, api_key=api_key)
        credentials.serve(url)
        return Found(credentials=credentials, origin=REFRESH_TOKEN)
    try:
        kept = stored.load(url)
    except OSError as error:
        message = f"the sign-in saved on this machine cannot be read: {error}"
        raise Misconfigured(message) from None
    if kept is None:
        message = f"Nobody is signed in at {url}: run seatlease login, or set {ID_TOKEN} or {REFRESH_TOKEN}."
        raise SignInRequired(message)
    return Found(credentials=kept, origin="a stored sign-in", is_stored=True)


def pinned_keys(file: Path | None) -> Keys | None:
    """Read the keys that answers must be proven with, from a file as ``GET /v1/keys`` answers.

    Raises:
        Misconfigured: the file cannot be read, or holds no keys.
    """
    if file is None:
        return None
    try:
        return Keys.pinned(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        message = f"the keys in {file} cannot be used: {error}"
        raise Misconfigured(message) from None


def for_program(lease: Lease) -> dict[str, str]:
    """Give the program's environment: ours with the session's id and what was sold, and without the tokens."""
    ours = {name: value for name, value in os.environ.items() if name not in {ID_TOKEN, REFRESH_TOKEN}}
    return {**ours, SESSION_ID: lease.session_id, FEATURES: json.dumps(dict(lease.features))}


async def fetch_usage(url: str, credentials: Credentials, *, license_key: str | None) -> dict[str, Any]:
    """Give the sessions of all pages in one answer of the service's form.

    The totals and the time are those of the first page: sessions may change between two pages.

    Raises:
        SeatleaseError: a page was refused, or the service did not answer.
    """
    async with Service(url, credentials) as service:
        answer = await service.usage(license_key=license_key)
        licenses = {license_["license_id"]: license_ for license_ in answer["licenses"]}
        while (token := answer["next_page_token"]) is not None:
            page = await service.usage(license_key=license_key, page_token=token)
            for license_ in page["licenses"]:
                known = licenses.setdefault(license_["license_id"], license_)
                if known is not license_:
                    known["sessions"] += license_["sessions"]
            answer["next_page_token"] = page["next_page_token"]
    return {**answer, "licenses": list(licenses.values())}


def _address(text: str) -> str:
    url = base_of(text)
    try:
        refuse_in_clear(url)
    except RequestRefused as refusal:
        raise typer.BadParameter(refusal.message) from None
    return url


Url = Annotated[
    str,
    typer.Option(
        envvar="SEATLEASE_URL", parser=_address, metavar="URL", help="Ask the license service at this address."
    ),
]
LicenseKey = Annotated[
    str,
    typer.Option(envvar="SEATLEASE_LICENSE_KEY", metavar="KEY", help="Take a seat of the license with this key."),
]
OneLicenseKey = Annotated[
    str | None,
    typer.Option(envvar="SEATLEASE_LICENSE_KEY", metavar="KEY", help="Look only at the license with this key."),
]
HardwareId = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Name this device, as SEATLEASE_HARDWARE_ID does. By default, it is a hash of the machine's id.",
    ),
]
PinnedKeys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        envvar="SEATLEASE_KEYS",
        metavar="FILE",
        help="Believe only fresh answers that these public keys prove: a file as GET /v1/keys answers.",
    ),
]
ApiKey = Annotated[
    str,
    typer.Option(
        envvar="SEATLEASE_API_KEY",
        metavar="KEY",
        help="Sign in with this Web API key of the Firebase project. It is no secret: ask the vendor.",
    ),
]


def read_duration(given: str | timedelta) -> timedelta:
    """Read an option's text. A default is a duration already."""
    return given if isinstance(given, timedelta) else duration(given)
