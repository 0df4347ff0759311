"""Service: the requests, each with an ID token and a deadline."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import jwt

from seatlease._service.address import base_of, has_broken, naming_the_proxy, refuse_in_clear, why_unreachable
from seatlease._service.answers import NOT_THE_SERVICE, error_of, file_of, history_of, lease_of, usage_of
from seatlease._service.certificates import trusted
from seatlease._service.clock import elapsed
from seatlease._service.credentials import Credentials, RefreshToken
from seatlease._service.first_answer import first_answer
from seatlease._service.lease_token import Keys, verify
from seatlease._service.license_key import given_key
from seatlease.errors import (
    LeaseNotProven,
    NotEntitled,
    RequestRefused,
    SeatleaseError,
    ServiceUnreachable,
    SignInRequired,
)
from seatlease.lease import Feature, Lease
from seatlease.version import __version__

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing from Python 3.11 on

REQUEST_WITHIN_SECONDS = 10.0
"""The service answers within 8 s. The rest is for the way there and back."""

_GRANTED = 201
_EXPIRED = frozenset({"TOKEN_EXPIRED", "TOKEN_INVALID"})
_REFUSED = frozenset({401, 403})
_NOT_LISTED = "NO_ORGANIZATION"
_MAX_ANSWER_BYTES = 1_000_000
MAX_TOKEN_LENGTH = 32_768
"""The longest ID token that the service takes: a test compares the two."""
MAX_IDLE_SECONDS = 10 * 365 * 24 * 60 * 60
"""The longest time that the service takes: a test compares the two."""
_NONCE_BYTES = 24
_ENOUGH_OF_A_KEY = 5


class Service:
    """The license service at one address, for one user.

    With ``keys``, an answer counts only if they prove its lease token, for this request. Then no other server can grant
    a seat, and no recorded answer can.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        keys: Keys | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """The functions answer under ``url`` + ``/v1/``. Nothing is sent yet.

        Raises:
            RequestRefused: ``url`` is no address, tokens would be sent in clear to another machine, or the environment
                names a proxy that cannot be used.
        """
        base = base_of(url)
        refuse_in_clear(base)
        if isinstance(credentials, RefreshToken):
            credentials.serve(base)
        self._url = f"{base}/v1"
        self._credentials = credentials
        self._keys = keys
        # Heartbeats are minutes apart: a connection kept for the next one would be a dead one.
        limits = httpx.Limits(max_keepalive_connections=2, keepalive_expiry=1)
        headers = {"User-Agent": f"seatlease-python/{__version__}", "Accept": "application/json"}
        with naming_the_proxy():
            self._http = httpx.AsyncClient(
                transport=transport,
                verify=trusted(),
                limits=limits,
                headers=headers,
                timeout=REQUEST_WITHIN_SECONDS,
                follow_redirects=False,
            )

    async def acquire(
        self,
        license_key: str,
        *,
        hardware_id: str,
        instance_id: str | None = None,
        borrow_until: datetime | None = None,
        wait_until: datetime | None = None,
    ) -> Lease:
        """Take a seat, or renew the one that this user has on this device. Asking again is safe.

        With ``borrow_until`` the seat is borrowed, also one that the device holds already. With ``wait_until`` the user
        gets a place in the line if there is no seat. Releasing its session's id gives it up.

        Raises:
            InLine: the user has a place in the line. The same request again, in time, keeps it.
            SeatleaseError: any except SessionLost, SessionRevoked and WaitCancelled.
        """
        license_key = given_key(license_key)
        asked_at, nonce, instance = elapsed(), self._new_nonce(), _named(instance_id)
        asked = {"license_key": license_key, "hardware_id": hardware_id, **nonce, **instance}
        if borrow_until is not None:
            asked["borrow_until"] = borrow_until.isoformat()
        if wait_until is not None:
            asked["wait_until"] = wait_until.isoformat()
        response = await self._post("acquire", asked)
        with _naming(license_key):
            lease = lease_of(response, asked_at=asked_at)
        try:
            await self._prove(lease, response, license_key=license_key, hardware_id=hardware_id, **nonce)
        except LeaseNotProven:
            if response.status_code == _GRANTED:  # for this request, so nobody else uses it
                with contextlib.suppress(SeatleaseError):
                    await self.release(lease.session_id, instance_id=instance_id, within_seconds=REQUEST_WITHIN_SECONDS)
            raise
        return lease

    async def heartbeat(
        self, lease: Lease, *, hardware_id: str, instance_id: str | None = None, idle_seconds: int | None = None
    ) -> Lease:
        """Send one heartbeat. ``idle_seconds``: for how long the user has done nothing, if the program says it.

        Raises:
            SeatleaseError: any except WaitCancelled; of NoSeatFree only InstanceLimitReached.
        """
        asked_at, nonce = elapsed(), self._new_nonce()
        idle = {} if idle_seconds is None else {"idle_seconds": min(idle_seconds, MAX_IDLE_SECONDS)}
        asked: dict[str, str | int] = {"session_id": lease.session_id, **nonce, **_named(instance_id), **idle}
        response = await self._post("heartbeat", asked)
        kept = lease_of(response, asked_at=asked_at, before=lease)
        if kept.session_id != lease.session_id:
            raise ServiceUnreachable(NOT_THE_SERVICE)
        # Its id says that the session is still for the same license, also if an admin has changed the license's key.
        await self._prove(kept, response, hardware_id=hardware_id, **nonce)
        return kept

    async def release(
        self, session_id: str, *, instance_id: str | None = None, until: datetime | None = None, within_seconds: float
    ) -> None:
        """Leave the seat: the last instance gives it back, and a release without one ends it. Asking again is safe.

        With ``until``, which is for owners and admins, the session's user gets no seat of its license before then.

        Raises:
            SessionLost, SessionRevoked: it had ended before, so its user is not kept out.
            SeatleaseError: it may not have been given back. Then it becomes free when its lease runs out.
        """
        asked = {"session_id": session_id, **_named(instance_id)}
        if until is not None:
            asked["until"] = until.isoformat()
        response = await self._post("release", asked, within_seconds=within_seconds)
        if response.status_code != 204:  # noqa: PLR2004 the contract's "done"
            raise error_of(response)

    async def usage(self, *, license_key: str | None = None, page_token: str | None = None) -> dict[str, Any]:
        """Give one page of the usage that this user may see, of one license or of all.

        Raises:
            SeatleaseError: any except NoSeatFree, SessionLost, SessionRevoked and WaitCancelled.
        """
        license_key = None if license_key is None else given_key(license_key)
        asked = {"license_key": license_key, "page_token": page_token}
        given = {name: value for name, value in asked.items() if value is not None}

        async def ask() -> dict[str, Any]:
            return usage_of(await self._ask("GET", "usage", params=given))

        with _naming(license_key or ""):
            return await first_answer(ask)

    async def history(
        self, *, first: str, license_id: str | None = None, as_csv: bool = False
    ) -> dict[str, Any] | bytes:
        """Give how licenses were used from this day (UTC) until today: all of them or one. As CSV it is a file.

        Raises:
            SeatleaseError: any except NoSeatFree, SessionLost, SessionRevoked and WaitCancelled.
        """
        asked = {"from": first, "license_id": license_id, "format": "csv" if as_csv else None}
        given = {name: value for name, value in asked.items() if value is not None}

        async def ask() -> dict[str, Any] | bytes:
            response = await self._ask("GET", "history", params=given)
            return file_of(response) if as_csv else history_of(response)

        return await first_answer(ask)

    async def keys(self) -> Keys:
        """Give the public keys that the service shows now.

        Raises:
            SeatleaseError: any except NoSeatFree, SessionLost, SessionRevoked and WaitCancelled.
        """
        response = await self._ask("GET", "keys")
        if response.status_code != httpx.codes.OK:
            raise error_of(response)
        try:
            return Keys.pinned(response.text)
        except (ValueError, RecursionError):
            raise ServiceUnreachable(NOT_THE_SERVICE) from None

    async def user(self) -> str:
        """Give the ID token's user, unverified. Use it only to tell the users of a device apart."""
        return _user_of(await self._credentials.id_token())

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _post(
        self, function: str, body: Mapping[str, str | int], *, within_seconds: float | None = None
    ) -> httpx.Response:
        return await self._ask("POST", function, body=body, within_seconds=within_seconds)

    async def _ask(
        self,
        method: str,
        function: str,
        *,
        body: Mapping[str, str | int] | None = None,
        params: Mapping[str, str] | None = None,
        within_seconds: float | None = None,
    ) -> httpx.Response:
        try:
            request = self._http.build_request(method, f"{self._url}/{function}", json=body, params=params)
            with anyio.fail_after(within_seconds or REQUEST_WITHIN_SECONDS):
                response = await self._send(request, token=await self._credentials.id_token())
                code = error_of(response).code if response.status_code in _REFUSED else None
                if code in _EXPIRED:
                    token = await self._credentials.id_token(refresh=True)
                    response = await self._send(request, token=token)
                elif code == _NOT_LISTED and (newer := await self._newer_token(request)) is not None:
                    response = await self._send(request, token=newer)
                return response
        except TimeoutError:
            message = "The license service did not answer in time."
            raise ServiceUnreachable(message) from None
        except UnicodeError:
            message = "The license key or the hardware id has characters that cannot be sent."
            raise RequestRefused(message) from None
        except httpx.InvalidURL:
            message = "The address of the license service is not valid."
            raise ServiceUnreachable(message) from None
        except httpx.HTTPError as error:
            message = f"The license service at {self._url} cannot be reached ({why_unreachable(error)})."
            raise ServiceUnreachable(message, is_passing=has_broken(error)) from None

    async def _newer_token(self, request: httpx.Request) -> str | None:
        """Give a token that may name an organization by now: an admin may have added the user a moment ago."""
        try:
            token = await self._credentials.id_token(refresh=True)
        except SeatleaseError:  # then the service's refusal says more
            return None
        return None if request.headers["Authorization"] == f"Bearer {token}" else token

    async def _send(self, request: httpx.Request, *, token: str) -> httpx.Response:
        if len(token) > MAX_TOKEN_LENGTH:
            message = (
                f"Your ID token has {len(token):,} characters, and the license service takes {MAX_TOKEN_LENGTH:,}. "
                "Ask your administrator to put fewer groups or attributes into sign-ins."
            )
            raise SignInRequired(message)
        request.headers["Authorization"] = f"Bearer {token}"
        response = await self._http.send(request, stream=True)
        try:
            # Whatever stands in between may send what it likes, for as long as it likes; we do not keep it all.
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > _MAX_ANSWER_BYTES:
                    raise ServiceUnreachable(NOT_THE_SERVICE)
        finally:
            await response.aclose()
        headers = [(k, v) for k, v in response.headers.multi_items() if k.lower() not in _ENCODED]
        return httpx.Response(response.status_code, headers=headers, content=bytes(content), request=request)

    def _new_nonce(self) -> dict[str, str]:
        """Make the field that asks for a fresh answer. Without keys there is none: nothing could be told from it."""
        return {} if self._keys is None else {"nonce": secrets.token_urlsafe(_NONCE_BYTES)}

    async def _prove(
        self,
        lease: Lease,
        response: httpx.Response,
        *,
        hardware_id: str,
        license_key: str | None = None,
        nonce: str | None = None,
    ) -> None:
        if self._keys is None:
            return
        if lease.lease_token is None:
            message = "The license service's answer has no lease token that proves it."
            raise LeaseNotProven(message)
        if self._keys.may_be_outdated(lease.lease_token):
            await asyncio.get_running_loop().run_in_executor(None, self._keys.fetch_again)
        proven = verify(
            lease.lease_token,
            self._keys,
            hardware_id=hardware_id,
            license_key=license_key,
            license_id=lease.license_id,
            user_id=_user_of(response.request.headers["Authorization"].removeprefix("Bearer ")),
            nonce=nonce,
            now=lease.server_time,
        )
        told = (
            lease.session_id,
            *map(_whole_seconds, (lease.server_time, lease.lease_expires_at, lease.grace_ends_at)),
            None if lease.license_expires_at is None else _whole_seconds(lease.license_expires_at),
            _exactly(lease.features),
            lease.borrowed_until is not None,
        )
        signed = (
            proven.session_id,
            proven.granted_at,
            proven.lease_expires_at,
            proven.grace_ends_at,
            proven.license_expires_at,
            _exactly(proven.features),
            proven.is_borrowed,
        )
        if told != signed:
            message = "The license service's answer does not match its lease token."
            raise LeaseNotProven(message)


@contextlib.contextmanager
def _naming(license_key: str) -> Iterator[None]:
    """Show the beginning of a key that no license has: it may be another one than the user meant."""
    try:
        yield
    except NotEntitled as error:
        if error.code != "LICENSE_NOT_FOUND":
            raise
        shown = license_key[: min(_ENOUGH_OF_A_KEY, len(license_key) // 2)]
        message = f"{error.message.removesuffix('.')} ({shown}…)."
        raise NotEntitled(message, code=error.code, request_id=error.request_id, details=error.details) from None


def _named(instance_id: str | None) -> dict[str, str]:
    return {} if instance_id is None else {"instance_id": instance_id}


def _user_of(id_token: str) -> str:
    """Read the user from an ID token, unverified."""
    try:
        claims = jwt.decode(id_token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return ""  # no token of Firebase's: the service will say so
    return str(claims.get("sub", ""))


def _exactly(features: Mapping[str, Feature]) -> str:
    """Write features so that a yes is not the same as 1."""
    return json.dumps(features, sort_keys=True)


def _whole_seconds(time: datetime) -> datetime:
    return time.replace(microsecond=0)


_ENCODED = frozenset({"content-encoding", "content-length", "transfer-encoding"})
