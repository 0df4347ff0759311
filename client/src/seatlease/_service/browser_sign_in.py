"""Sign-in through a browser, for people without a password of Firebase's.

The device begins a sign-in at the service. A person confirms it on the service's own page. Then the service gives a
custom token, once, and Firebase gives a refresh token for it. With ``listen`` the page brings a code to this machine
(RFC 8252, PKCE of RFC 7636). Without, the person types a code on any machine, and this one asks (RFC 8628).
"""

import asyncio
import contextlib
import html
import json
import secrets
import socket
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import jwt

from seatlease._service.address import base_of, has_broken, naming_the_proxy, refuse_in_clear, why_unreachable
from seatlease._service.answers import NOT_THE_SERVICE, error_of
from seatlease._service.certificates import trusted
from seatlease._service.clock import elapsed
from seatlease._service.firebase import SIGN_IN_WITH_CUSTOM_TOKEN, ask
from seatlease._service.first_answer import first_answer
from seatlease._service.given import stripped
from seatlease._service.sign_in import SignedIn
from seatlease.errors import RequestRefused, ServiceUnreachable, SignInRequired

_ANSWER_WITHIN_SECONDS = 10.0
_MAX_ANSWER_BYTES = 100_000
_MAX_REQUEST_BYTES = 8_192
_READ_WITHIN_SECONDS = 10.0
_VERIFIER_BYTES = 48
_LONGEST_NAME = 100
_PENDING = "SIGN_IN_PENDING"
_NOT_THERE = frozenset({404, 405})
_LONGEST_SECONDS = 3_600.0

_TOO_LATE = "Nobody confirmed the sign-in in time. Please begin again."
_REFUSED = "The sign-in was refused in the browser."


@dataclass(frozen=True, kw_only=True)
class ToConfirm:
    """Where a person confirms the sign-in, and the code that they type there; ``None`` if they need none."""

    page: str
    user_code: str | None
    within_seconds: float


class NotOffered(Exception):  # noqa: N818 it is the caller's to decide what then
    """The service is an older one, without this way to sign in."""


async def sign_in_through_browser(
    *, service_url: str, api_key: str, listen: bool, tell: Callable[[ToConfirm], object]
) -> SignedIn:
    """Sign in, and wait until a person has confirmed it. ``tell`` is called when there is something to confirm.

    Raises:
        NotOffered: the service has no such sign-in.
        SignInRequired: a person refused, or nobody confirmed in time.
        RequestRefused: Firebase does not accept the API key, or this machine lets no program listen.
        ServiceUnreachable: the service or Firebase did not answer.
    """
    base = base_of(service_url)
    refuse_in_clear(base)
    verifier = secrets.token_urlsafe(_VERIFIER_BYTES)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"step": "begin", "code_challenge": challenge, "device_name": _device_name()}
    if listen:
        async with _listening() as browser:
            begun = await _begin(base, {**asked, "loopback_port": browser.port})
            tell(_to_confirm(begun, base, needs_code=False))
            code = await browser.code(state=_text(begun, "sign_in_id"), within_seconds=_seconds(begun))
            custom_token = await first_answer(partial(_exchange, base, begun, verifier, code))
    else:
        begun = await _begin(base, asked)
        tell(_to_confirm(begun, base, needs_code=True))
        custom_token = await _exchange_when_confirmed(base, begun, verifier)
    body = {"token": custom_token, "returnSecureToken": True}
    answer = await first_answer(
        partial(ask, SIGN_IN_WITH_CUSTOM_TOKEN, api_key=stripped(api_key), service_url=base, body=body)
    )
    return _signed_in(answer)


def page_of(base: str, path: str) -> str:
    """Give the address of the service's page.

    Raises:
        ServiceUnreachable: the answer names a page elsewhere. A person would confirm at a stranger's page.
    """
    page = base + path
    with contextlib.suppress(httpx.InvalidURL):
        there, ours = httpx.URL(page), httpx.URL(base)
        is_ours = (there.scheme, there.host, there.port) == (ours.scheme, ours.host, ours.port)
        if path.startswith("/") and is_ours and not there.userinfo and page.isprintable():
            return page
    message = "The license service names a page that is not its own, so it was not opened."
    raise ServiceUnreachable(message)


async def _begin(base: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return await first_answer(partial(_asked, base, body))


async def _exchange(base: str, begun: Mapping[str, Any], verifier: str, code: str | None = None) -> str:
    given = {} if code is None else {"code": code}
    body = {"step": "exchange", "sign_in_id": begun["sign_in_id"], "code_verifier": verifier, **given}
    return _text(await _asked(base, body), "custom_token")


async def _exchange_when_confirmed(base: str, begun: Mapping[str, Any], verifier: str) -> str:
    pause = _number(begun, "poll_seconds")
    give_up_at = elapsed() + _seconds(begun)
    while elapsed() < give_up_at:
        await anyio.sleep(pause)
        try:
            return await _exchange(base, begun, verifier)
        except SignInRequired as error:
            if error.code != _PENDING:
                raise
        except ServiceUnreachable as error:
            if not error.is_passing:
                raise
            pause = max(pause, 0.0 if error.retry_after is None else error.retry_after.total_seconds())
    raise SignInRequired(_TOO_LATE)


async def _asked(base: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Send one step, and give its answer.

    Raises:
        NotOffered: nothing answers there.
        SeatleaseError: as the answer says.
    """
    url = f"{base}/v1/sign-ins"
    try:
        with anyio.fail_after(_ANSWER_WITHIN_SECONDS):
            with naming_the_proxy():
                http = httpx.AsyncClient(verify=trusted(), timeout=_ANSWER_WITHIN_SECONDS, follow_redirects=False)
            async with http:
                response = await http.post(url, json=body)
    except TimeoutError:
        message = "The license service did not answer in time."
        raise ServiceUnreachable(message) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        message = f"The license service at {url} cannot be reached ({why_unreachable(error)})."
        raise ServiceUnreachable(message, is_passing=has_broken(error)) from None
    if response.is_success and len(response.content) <= _MAX_ANSWER_BYTES:
        with contextlib.suppress(ValueError, RecursionError):
            if isinstance(answer := json.loads(response.content), dict):
                return answer
        raise ServiceUnreachable(NOT_THE_SERVICE)
    refusal = error_of(response)
    if refusal.code is None and response.status_code in _NOT_THERE:
        raise NotOffered
    raise refusal


def _to_confirm(begun: Mapping[str, Any], base: str, *, needs_code: bool) -> ToConfirm:
    return ToConfirm(
        page=page_of(base, _text(begun, "verification_path")),
        user_code=_text(begun, "user_code") if needs_code else None,
        within_seconds=_seconds(begun),
    )


def _text(answer: Mapping[str, Any], field: str) -> str:
    found = answer.get(field)
    if not isinstance(found, str) or not found:
        raise ServiceUnreachable(NOT_THE_SERVICE)
    return found


def _number(answer: Mapping[str, Any], field: str) -> float:
    found = answer.get(field)
    if not isinstance(found, int | float) or not 0 < found <= _LONGEST_SECONDS:
        raise ServiceUnreachable(NOT_THE_SERVICE)
    return float(found)


def _seconds(begun: Mapping[str, Any]) -> float:
    return _number(begun, "expires_in_seconds")


def _signed_in(answer: Mapping[str, Any]) -> SignedIn:
    id_token, refresh_token = answer.get("idToken"), answer.get("refreshToken")
    if isinstance(id_token, str) and isinstance(refresh_token, str) and refresh_token:
        with contextlib.suppress(jwt.PyJWTError):
            claims = jwt.decode(id_token, options={"verify_signature": False})
            if isinstance(user_id := claims.get("sub"), str):
                email = claims.get("email")
                known = email if isinstance(email, str) else user_id  # an account may have no address
                return SignedIn(user_id=user_id, email=known, refresh_token=refresh_token)
    message = "The sign-in service's answer is incomplete. Try again later."
    raise ServiceUnreachable(message)


def _device_name() -> str:
    """This machine's name, which the person reads on the page."""
    name = "".join(filter(str.isprintable, socket.gethostname())).encode("utf-8", "ignore").decode()
    return name[:_LONGEST_NAME] or "a device without a name"


class _Browser:
    """What the browser brings to this machine."""

    def __init__(self, port: int, brought: "asyncio.Queue[Mapping[str, list[str]]]") -> None:
        self.port = port
        self._brought = brought

    async def code(self, *, state: str, within_seconds: float) -> str:
        """Wait for the code of this sign-in. What another page brings is passed over.

        Raises:
            SignInRequired: the person refused, or the time is over.
        """
        try:
            with anyio.fail_after(within_seconds):
                while True:
                    told = await self._brought.get()
                    if told.get("state") != [state]:
                        continue
                    if code := told.get("code"):
                        return code[0]
                    raise SignInRequired(_REFUSED, code="SIGN_IN_REFUSED")
        except TimeoutError:
            raise SignInRequired(_TOO_LATE) from None


@contextlib.asynccontextmanager
async def _listening() -> AsyncIterator[_Browser]:
    """Listen at a free port of 127.0.0.1, which no other machine reaches."""
    brought: asyncio.Queue[Mapping[str, list[str]]] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            with anyio.fail_after(_READ_WITHIN_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            address = urlsplit(target)
            told = parse_qs(address.query) if (method, address.path) == ("GET", "/") else {}
            writer.write(_answer(told))
            await writer.drain()
            if told:
                brought.put_nowait(told)
        writer.close()

    # Tasks of our own: asyncio's own ones print a traceback for each connection that a browser keeps for later.
    serving: set[asyncio.Task[None]] = set()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    try:
        server = await asyncio.start_server(take, "127.0.0.1", 0, limit=_MAX_REQUEST_BYTES)
    except OSError as error:
        message = f"This machine lets no program listen at 127.0.0.1 ({error}). Sign in with --device."
        raise RequestRefused(message) from None
    try:
        yield _Browser(server.sockets[0].getsockname()[1], brought)
    finally:
        server.close()
        for task in serving:
            task.cancel()


def _answer(told: Mapping[str, list[str]]) -> bytes:
    """Answer the browser. The page says nothing of the sign-in, and loads nothing."""
    if "code" in told:
        status, said = "200 OK", "You are signed in. You can close this page and go back to the terminal."
    elif "error" in told:
        status, said = "200 OK", "The sign-in was refused. You can close this page."
    else:
        status, said = "404 Not Found", "There is nothing here."
    page = f"<!doctype html><meta charset=utf-8><title>Seatlease</title><p>{html.escape(said)}</p>".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + page
