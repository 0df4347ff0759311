"""Firebase: asks its two endpoints for tokens, and explains their refusals.

Source: Firebase Auth REST API. If ``FIREBASE_AUTH_EMULATOR_HOST`` (``HOST:PORT``) is set, the emulator is asked, as by
Firebase's own libraries. But requests to it are not encrypted. So it must be on this machine, and the tokens must not
be for a service at ``https://``. Otherwise the variable is ignored.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from seatlease._service.address import has_broken, is_encrypted, is_this_machine, naming_the_proxy, why_unreachable
from seatlease._service.answers import is_refused_for_now
from seatlease._service.certificates import trusted
from seatlease._service.given import stripped
from seatlease.errors import RequestRefused, SeatleaseError, ServiceUnreachable, SignInRequired

ANSWER_WITHIN_SECONDS = 10.0

EMULATOR = "FIREBASE_AUTH_EMULATOR_HOST"
_MAX_ANSWER_BYTES = 1_000_000
_NOT_FIREBASE = "The sign-in service cannot be reached: something else answered in its place. Try again later."

_SIGN_IN_AGAIN = {
    "INVALID_REFRESH_TOKEN": "Please sign in again.",
    "MISSING_REFRESH_TOKEN": "Please sign in.",
    "PROJECT_NUMBER_MISMATCH": "This sign-in belongs to another service. Please sign in again.",
    "TENANT_ID_MISMATCH": "This sign-in belongs to another service. Please sign in again.",
    "TOKEN_EXPIRED": "Your sign-in is no longer valid. Please sign in again.",
    "USER_NOT_FOUND": "This account no longer exists. Please sign in with another one.",
    "USER_DISABLED": "This account is disabled. Please ask your administrator.",
    # One text for all of these: which of the two was wrong is nobody's business.
    "EMAIL_NOT_FOUND": "The e-mail address or the password is wrong.",
    "INVALID_EMAIL": "The e-mail address or the password is wrong.",
    "INVALID_LOGIN_CREDENTIALS": "The e-mail address or the password is wrong.",
    "INVALID_PASSWORD": "The e-mail address or the password is wrong.",
    "MISSING_EMAIL": "Please enter your e-mail address.",
    "MISSING_PASSWORD": "Please enter your password.",
    "TOO_MANY_ATTEMPTS_TRY_LATER": "There were too many attempts to sign in. Please wait some minutes and try again.",
}


_API_KEY_ONLY_FOR = {
    "API_KEY_HTTP_REFERRER_BLOCKED": "web sites",
    "API_KEY_IP_ADDRESS_BLOCKED": "other IP addresses",
    "API_KEY_ANDROID_APP_BLOCKED": "Android apps",
    "API_KEY_IOS_APP_BLOCKED": "iOS apps",
    "API_KEY_SERVICE_BLOCKED": "other APIs",
}
"""The reasons in an answer's details. Source: google.api.ErrorReason."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One of Firebase's endpoints. On the emulator, the host is the first part of the path."""

    host: str
    path: str

    def url(self, *, service_url: str | None) -> str:
        """Give the address to ask for tokens for this service (``None``: not known).

        Raises:
            RequestRefused: as ``emulator_for``.
        """
        emulator = emulator_for(service_url)
        return f"https://{self.host}{self.path}" if emulator is None else f"http://{emulator}/{self.host}{self.path}"


def emulator_for(service_url: str | None) -> str | None:
    """Give the emulator to ask for tokens for this service, as ``HOST:PORT``; ``None`` for Firebase itself.

    Raises:
        RequestRefused: the environment names one, but not as ``HOST:PORT``.
    """
    named = stripped(os.environ.get(EMULATOR, ""))
    if not named or (service_url is not None and is_encrypted(service_url)):
        return None
    try:
        if "/" not in named and "@" not in named:
            return named if is_this_machine(httpx.URL(f"http://{named}").host) else None
    except httpx.InvalidURL:
        pass
    message = f"{EMULATOR} must be HOST:PORT."
    raise RequestRefused(message)


SECURE_TOKEN = Endpoint(host="securetoken.googleapis.com", path="/v1/token")
SIGN_IN_WITH_CUSTOM_TOKEN = Endpoint(host="identitytoolkit.googleapis.com", path="/v1/accounts:signInWithCustomToken")
SIGN_IN = Endpoint(host="identitytoolkit.googleapis.com", path="/v1/accounts:signInWithPassword")


async def ask(
    endpoint: Endpoint,
    *,
    api_key: str,
    service_url: str | None,
    form: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Send a form or a JSON body and return the answer. The secrets are in the body, never in the URL.

    ``service_url`` is the service that the tokens are for, or ``None`` if that is not known.

    Raises:
        SignInRequired: the user must do something.
        RequestRefused: the API key or the request is wrong.
        ServiceUnreachable: no answer in time, or not from Firebase.
    """
    url = endpoint.url(service_url=service_url)
    try:
        with anyio.fail_after(ANSWER_WITHIN_SECONDS):
            status, content = await _post(url, api_key=api_key, form=form, body=body)
    except TimeoutError:
        failure, is_passing = "it did not answer in time", False
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        failure, is_passing = why_unreachable(error), has_broken(error)
    else:
        return _answer(status, content)
    # Outside of the handlers: their errors hold the request, and with it the secrets.
    message = f"The sign-in service cannot be reached ({failure}). Try again later."
    raise ServiceUnreachable(message, is_passing=is_passing) from None


async def _post(
    url: str, *, api_key: str, form: Mapping[str, str] | None, body: Mapping[str, Any] | None
) -> tuple[int, bytes]:
    with naming_the_proxy():  # a client for each: an exchange happens once an hour
        http = httpx.AsyncClient(verify=trusted(), timeout=ANSWER_WITHIN_SECONDS, follow_redirects=False)
    async with http, http.stream("POST", url, params={"key": api_key}, data=form, json=body) as response:
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > _MAX_ANSWER_BYTES:
                raise ServiceUnreachable(_NOT_FIREBASE)
        return response.status_code, bytes(content)


def _answer(status: int, content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        if status == httpx.codes.OK:
            return answer
        if isinstance(answer.get("error"), dict):
            raise _refusal(status, answer["error"])
    # Not chained: a parser's error holds the text, and an answer may hold tokens.
    raise ServiceUnreachable(_NOT_FIREBASE, is_passing=is_refused_for_now(status))


def _refusal(status: int, error: dict[str, Any]) -> SeatleaseError:
    """Explain a refusal. Its own text is not passed on, because some of Google's texts repeat the request."""
    told = str(error.get("message"))
    code = _code(told) or _code(str(error.get("status")))
    if code in _SIGN_IN_AGAIN:
        return SignInRequired(_SIGN_IN_AGAIN[code], code=code)
    if is_refused_for_now(status):
        message = "The sign-in service is not available at the moment. Try again later."
        return ServiceUnreachable(message, is_passing=True, code=code)
    if "API key" in told or "API_KEY_" in str(error.get("details")):
        return _api_key_refused(str(error.get("details")))
    return RequestRefused(f"Firebase refused the sign-in ({code or status}).", code=code)


def _api_key_refused(details: str) -> RequestRefused:
    restricted_to = next((users for code, users in _API_KEY_ONLY_FOR.items() if code in details), None)
    if restricted_to is None:
        return RequestRefused("Firebase does not accept this program's API key.", code="API_KEY_INVALID")
    message = (
        f"This API key is restricted to {restricted_to}, so Firebase refuses it here. Take another key for programs, "
        "restricted to the Identity Toolkit API and the Token Service API only."
    )
    return RequestRefused(message, code="API_KEY_RESTRICTED")


def _code(told: str) -> str | None:
    """Find the code: the whole text, or the part before a colon and an explanation."""
    found = re.match(r"([A-Z]+(?:_[A-Z]+)*)(?= *:|$)", told)
    return found[1] if found else None
