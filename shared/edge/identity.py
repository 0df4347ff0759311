"""Who calls: Firebase ID tokens, verified once and remembered until they expire."""

import asyncio
import time
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import firebase_admin
from cachetools import LRUCache
from firebase_admin import auth, credentials
from google.auth.credentials import AnonymousCredentials
from starlette.requests import Request

from shared.documents.paths import can_be_document_id
from shared.edge.errors import ApiError, Code
from shared.edge.settings import settings

MAX_REMEMBERED = 10_000
"""Verified tokens that one instance remembers; a forgotten one costs one verification, some milliseconds."""

KEYS_WITHIN_SECONDS = 4
"""Google's keys are fetched at the first token and when they rotate; a request waits this long for them at most."""

CLOCKS_DIFFER_BY_SECONDS = 10
"""A program that starts shows a token made milliseconds ago, in whole seconds, by a clock that may be ahead of ours: it
is no token from the future. When a token ends, ``Tokens.verify`` looks at itself, and gives no such time."""

_MAX_TOKEN_LENGTH = 8_192
_END_OF_TIMES = 253_402_300_800
"""The year 10,000, in seconds."""

_NO_TOKEN = (auth.InvalidIdTokenError, ValueError, TypeError, AttributeError, RecursionError)
"""What the library raises over a token. It looks into one before it knows who has signed it, and not everything in JSON
has the form that it expects there, or can be parsed as deep as it is nested."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A verified user of an organization. The role is not here: it is read from ``users/{uid}`` for every decision."""

    user_id: str
    organization_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verified:
    user_id: str
    organization_id: str | None
    expires_at: float


class _NoCredentials(credentials.Base):
    """Verifying a token needs Google's public keys only; no function that reads tokens needs a secret."""

    def get_credential(self) -> AnonymousCredentials:
        """Give credentials that grant nothing."""
        return AnonymousCredentials()


class Tokens:
    """Verifies ID tokens: signature, expiry, project. Remembers what it verified until the token's own expiry."""

    def __init__(self, *, project: str) -> None:
        """Accept the tokens of one Firebase project."""
        self._app = firebase_admin.initialize_app(
            _NoCredentials(), {"projectId": project, "httpTimeout": KEYS_WITHIN_SECONDS}, name=f"verify-{project}"
        )
        # Keyed by a hash: a memory dump holds no token.
        self._verified: LRUCache[bytes, _Verified] = LRUCache(MAX_REMEMBERED)

    async def verify(self, token: str) -> _Verified:
        """Verify a token, from memory if it was verified before.

        Raises:
            ApiError: ``TOKEN_INVALID`` or ``TOKEN_EXPIRED``; ``STORE_UNAVAILABLE`` when Google's keys cannot be had.
        """
        key = sha256(token.encode()).digest()
        verified = self._verified.get(key)
        if verified is None:
            verified = await self._checked(token)
            self._verified[key] = verified
        if verified.expires_at <= time.time():
            self._verified.pop(key, None)
            raise _expired()
        return verified

    async def _checked(self, token: str) -> _Verified:
        # The library verifies, and at times fetches Google's keys, without asyncio: not on the event loop. There are a
        # few threads for it, and while the keys do not come, whoever waits behind others waits no longer than they do.
        try:
            async with asyncio.timeout(KEYS_WITHIN_SECONDS):
                return await asyncio.to_thread(self._check, token)
        except TimeoutError as error:
            raise _no_keys() from error

    def _check(self, token: str) -> _Verified:
        try:
            claims = auth.verify_id_token(token, app=self._app, clock_skew_seconds=CLOCKS_DIFFER_BY_SECONDS)
        except auth.ExpiredIdTokenError:
            raise _expired() from None
        except auth.CertificateFetchError as error:
            raise _no_keys() from error
        except _NO_TOKEN:
            raise _invalid() from None
        organization_id, expires_at = claims.get("org_id"), claims.get("exp")
        # Beyond it there are no times: a number that is none, or has thousands of digits, is no expiry.
        if not isinstance(expires_at, int | float) or not 0 <= expires_at < _END_OF_TIMES:
            raise _invalid()
        return _Verified(
            user_id=claims["uid"],
            organization_id=organization_id if isinstance(organization_id, str) else None,
            expires_at=float(expires_at),
        )


@cache
def tokens() -> Tokens:
    """Make the one verifier of this instance."""
    return Tokens(project=settings().project)


async def identify(request: Request) -> Caller:
    """Find out who calls from the ``Authorization`` header.

    Raises:
        ApiError: ``TOKEN_MISSING``, ``TOKEN_INVALID``, ``TOKEN_EXPIRED``, ``NO_ORGANIZATION``.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        message = "send a Firebase ID token: Authorization: Bearer <token>"
        raise ApiError(Code.TOKEN_MISSING, message, headers={"WWW-Authenticate": "Bearer"})
    if len(token) > _MAX_TOKEN_LENGTH:
        raise _invalid()
    verified = await tokens().verify(token)
    organization_id = verified.organization_id
    if organization_id is None or not can_be_document_id(organization_id) or not can_be_document_id(verified.user_id):
        message = "the token names no organization (claim org_id): ask an admin to add you, then sign in again"
        raise ApiError(Code.NO_ORGANIZATION, message)
    return Caller(user_id=verified.user_id, organization_id=organization_id)


def _no_keys() -> ApiError:
    message = "Google's public keys could not be fetched to verify the token; try again"
    return ApiError(Code.STORE_UNAVAILABLE, message, headers={"Retry-After": "1"})


def _expired() -> ApiError:
    return ApiError(
        Code.TOKEN_EXPIRED,
        "the ID token has expired: refresh it and ask again",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def _invalid() -> ApiError:
    return ApiError(
        Code.TOKEN_INVALID,
        "the ID token is not a valid one of this project: sign in again",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
