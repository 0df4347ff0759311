"""Identifies the caller by a Firebase ID token, and bounds what one caller asks of an instance.

A token is verified once and remembered until it expires.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

import firebase_admin
from cachetools import LRUCache
from firebase_admin import auth, credentials
from google.auth.credentials import AnonymousCredentials
from starlette.requests import Request

from shared.documents.paths import can_be_document_id
from shared.edge.answers import WHEN_ANSWERED
from shared.edge.errors import ApiError, Code
from shared.edge.settings import settings
from shared.rules.person import SignedIn

logger = logging.getLogger(__name__)

MAX_REMEMBERED = 10_000
"""The most verified tokens that one instance remembers. A forgotten token is verified again, in some milliseconds."""

KEYS_WITHIN_SECONDS = 4
"""The most seconds that a request waits for Google's keys. They are fetched at the first token and when they rotate."""

CLOCKS_DIFFER_BY_SECONDS = 10
"""How far a token's issue time may lie in the future. A new token may come from a clock ahead of ours. It does not
extend a token's life: ``Tokens.verify`` checks the expiry itself, without this tolerance."""

REQUESTS_A_SECOND, BURST = 20, 200
"""How often one user may ask each instance of a function. A user who was quiet for ten seconds has the whole burst."""

AT_A_TIME = 50
"""The most requests of one user that an instance answers at a time."""

MAX_CALLERS = 10_000
"""The most callers whose requests one limit counts. A forgotten one begins with a whole burst again."""

JOINS_A_MINUTE = 5
"""How often one account may try to join, at each instance of the function."""

_REPORTED_EVERY_SECONDS = 60

MAX_TOKEN_LENGTH = 32_768
"""The longest ID token. Sign-ins with a company's SAML carry its groups. Together with the other headers it stays below
the 64 KB that Google's front ends and uvicorn take."""
_MAX_PROVIDER = 128
_Told = TypeVar("_Told")
_END_OF_TIMES = 253_402_300_800
"""The year 10,000, in seconds."""

_NO_TOKEN = (auth.InvalidIdTokenError, ValueError, TypeError, AttributeError, RecursionError)
"""The errors that the library raises for a bad token. It reads a token before it verifies the signature, so unexpected
or deeply nested JSON raises errors of these types."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A verified user of an organization. It has no role: that is read from ``users/{uid}`` for every decision."""

    user_id: str
    organization_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HowSignedIn:
    """When and how the caller signed in, with a provider such as ``password``.

    For a device it is when and how the browser did that the device was signed in through.
    """

    at: datetime
    provider: str
    is_device: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verified:
    """A token that is what it claims to be. ``caller`` is ``None`` if it names no organization."""

    caller: Caller | None
    how: HowSignedIn
    expires_at: float


class _NoCredentials(credentials.Base):
    """To verify a token takes only Google's public keys. No function that reads tokens needs a secret."""

    def get_credential(self) -> AnonymousCredentials:
        return AnonymousCredentials()


class Tokens:
    """Verifies the ID tokens of one Firebase project, and remembers each verified token until it expires."""

    def __init__(self, *, project: str) -> None:
        self._app = firebase_admin.initialize_app(
            _NoCredentials(), {"projectId": project, "httpTimeout": KEYS_WITHIN_SECONDS}, name=f"verify-{project}"
        )
        # The key is a hash, so that a memory dump shows no token.
        self._verified: LRUCache[bytes, _Verified] = LRUCache(MAX_REMEMBERED)

    async def verify(self, token: str) -> _Verified:
        """Verify a token, or take it from memory.

        Raises:
            ApiError: ``TOKEN_INVALID``, ``TOKEN_EXPIRED``, or ``STORE_UNAVAILABLE`` if Google's keys do not come.
        """
        key = sha256(token.encode()).digest()
        verified = self._verified.get(key)
        if verified is None:
            verified = await self._in_a_thread(self._check, token)
            self._verified[key] = verified
        if verified.expires_at <= time.time():
            self._verified.pop(key, None)
            raise _expired()
        return verified

    async def _in_a_thread(self, check: Callable[[str], _Told], token: str) -> _Told:
        # The library blocks while it verifies a token or fetches Google's keys, so it runs in a thread. There are few
        # threads. The timeout includes the wait for one, so no request waits longer while Google does not answer.
        try:
            async with asyncio.timeout(KEYS_WITHIN_SECONDS):
                return await asyncio.to_thread(check, token)
        except TimeoutError as error:
            raise _no_keys() from error

    async def signed_in(self, token: str) -> SignedIn:
        """Verify a token, and say who signed in, whatever organization it names or none.

        Raises:
            ApiError: as ``verify`` does.
        """
        return await self._in_a_thread(self._who, token)

    def _who(self, token: str) -> SignedIn:
        claims = self._claims(token)
        if claims["exp"] <= time.time():
            raise _expired()
        if not can_be_document_id(claims["uid"]):
            raise _invalid()
        sign_in = claims.get("firebase")
        told = sign_in if isinstance(sign_in, dict) else {}
        provider, identities, email = told.get("sign_in_provider"), told.get("identities"), claims.get("email")
        return SignedIn(
            user_id=claims["uid"],
            email=email if isinstance(email, str) else None,
            is_email_verified=claims.get("email_verified") is True,
            provider=provider if isinstance(provider, str) else "",
            providers=frozenset(identities) if isinstance(identities, dict) else frozenset(),
        )

    def _check(self, token: str) -> _Verified:
        claims = self._claims(token)
        organization_id, user_id, caller = claims.get("org_id"), claims["uid"], None
        if isinstance(organization_id, str) and can_be_document_id(organization_id) and can_be_document_id(user_id):
            caller = Caller(user_id=user_id, organization_id=organization_id)
        return _Verified(caller=caller, how=_how_signed_in(claims), expires_at=float(claims["exp"]))

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that is valid, expired or not: ``exp`` is a number."""
        try:
            claims = auth.verify_id_token(token, app=self._app, clock_skew_seconds=CLOCKS_DIFFER_BY_SECONDS)
        except auth.ExpiredIdTokenError:
            raise _expired() from None
        except auth.CertificateFetchError as error:
            raise _no_keys() from error
        except _NO_TOKEN:
            raise _invalid() from None
        sign_in = claims.get("firebase")
        if isinstance(sign_in, dict) and "tenant" in sign_in:
            # Identity Platform's tenants have uids of their own, which may be those of other people in the project.
            raise _invalid()
        expires_at = claims.get("exp")
        # With an emulator the library looks at no expiry. This also refuses NaN, and numbers with thousands of digits.
        if not isinstance(expires_at, int | float) or not 0 <= expires_at < _END_OF_TIMES:
            raise _invalid()
        verified: dict[str, Any] = claims
        return verified


def _how_signed_in(claims: Mapping[str, Any]) -> HowSignedIn:
    """Read when and how the caller signed in. A custom token of ``sign_ins`` says it in claims of its own."""
    sign_in = claims.get("firebase")
    provider = sign_in.get("sign_in_provider") if isinstance(sign_in, dict) else None
    at = claims.get("auth_time")
    if is_device := provider == "custom":
        provider, at = claims.get("signed_in_with", provider), claims.get("signed_in_at", at)
    return HowSignedIn(
        at=datetime.fromtimestamp(at if isinstance(at, int) and 0 <= at < _END_OF_TIMES else 0, UTC),
        provider=provider if isinstance(provider, str) and len(provider) <= _MAX_PROVIDER else "unknown",
        is_device=is_device,
    )


@dataclass(kw_only=True, slots=True)
class _Allowance:
    """How many requests a caller has left at ``counted_at``, and how many are under way."""

    left: float
    counted_at: float
    under_way: int = 0
    reported_at: float = -math.inf

    def one_is_over(self) -> None:
        self.under_way -= 1


class Limit:
    """A token bucket for each caller, and a number of requests at a time.

    ``report`` is called with a refused caller, once a minute: a line for each refusal would cost more than the refusal.
    """

    def __init__(
        self,
        *,
        burst: int,
        a_second: float,
        at_a_time: float = math.inf,
        report: Callable[[Any], None] | None = None,
    ) -> None:
        self._burst = burst
        self._a_second = a_second
        self._at_a_time = at_a_time
        self._report = report
        self._callers: LRUCache[Hashable, _Allowance] = LRUCache(MAX_CALLERS)

    def admit(self, caller: Hashable, *, now: float | None = None) -> Callable[[], None]:
        """Count a request. It counts as under way until what is returned is called, which matters to ``at_a_time``.

        ``now`` is in seconds, by a clock that is never set.

        Raises:
            ApiError: ``RATE_LIMITED``. A refused request is not counted.
        """
        now = time.monotonic() if now is None else now
        allowance = self._callers.get(caller)
        if allowance is None:
            allowance = self._callers[caller] = _Allowance(left=self._burst, counted_at=now)
        allowance.left = min(self._burst, allowance.left + (now - allowance.counted_at) * self._a_second)
        allowance.counted_at = now
        if allowance.left < 1 or allowance.under_way >= self._at_a_time:
            if self._report is not None and now - allowance.reported_at >= _REPORTED_EVERY_SECONDS:
                allowance.reported_at = now
                self._report(caller)
            retry_after = max(1, math.ceil((1 - allowance.left) / self._a_second))
            raise ApiError(Code.RATE_LIMITED, headers={"Retry-After": str(retry_after)})
        allowance.left -= 1
        allowance.under_way += 1
        return allowance.one_is_over


def _report(who: tuple[str | None, str]) -> None:
    organization_id, user_id = who
    told = {"user_id": user_id, "organization_id": organization_id}
    logger.warning("a user asks too often, and is refused", extra=told)


@cache
def user_limits() -> Limit:
    return Limit(burst=BURST, a_second=REQUESTS_A_SECOND, at_a_time=AT_A_TIME, report=_report)


@cache
def join_limits() -> Limit:
    return Limit(burst=JOINS_A_MINUTE, a_second=JOINS_A_MINUTE / 60, report=_report)


@cache
def tokens() -> Tokens:
    return Tokens(project=settings().project)


async def identify(request: Request) -> Caller:
    """Identify the caller by the ``Authorization`` header, and count the request until it is answered.

    Raises:
        ApiError: ``TOKEN_MISSING``, ``TOKEN_INVALID``, ``TOKEN_EXPIRED``, ``NO_ORGANIZATION``, ``RATE_LIMITED``.
    """
    caller, _ = await identify_with_sign_in(request)
    return caller


async def identify_with_sign_in(request: Request) -> tuple[Caller, HowSignedIn]:
    """Identify the caller as ``identify`` does, and say when and how they signed in."""
    verified = await tokens().verify(_token(request))
    caller = verified.caller
    if caller is None:
        raise ApiError(Code.NO_ORGANIZATION)
    request.scope[WHEN_ANSWERED] = user_limits().admit((caller.organization_id, caller.user_id))
    return caller, verified.how


async def identify_new_user(request: Request) -> SignedIn:
    """Identify a person who may belong to no organization yet, and count the request as a try to join.

    Raises:
        ApiError: as ``identify`` does, but for ``NO_ORGANIZATION``.
    """
    person = await tokens().signed_in(_token(request))
    join_limits().admit((None, person.user_id))
    return person


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise ApiError(Code.TOKEN_MISSING, headers={"WWW-Authenticate": "Bearer"})
    if len(token) > MAX_TOKEN_LENGTH:
        too_long = f"The ID token has more than {MAX_TOKEN_LENGTH:,} characters. Put fewer attributes into it."
        raise _invalid(too_long)
    return token


def _no_keys() -> ApiError:
    message = "The license service cannot check sign-ins at the moment. Please try again."
    return ApiError(Code.STORE_UNAVAILABLE, message, headers={"Retry-After": "1"})


def _expired() -> ApiError:
    return ApiError(Code.TOKEN_EXPIRED, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _invalid(why: str | None = None) -> ApiError:
    return ApiError(Code.TOKEN_INVALID, why, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
