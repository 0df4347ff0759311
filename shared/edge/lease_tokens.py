"""Lease tokens: with one a program can verify offline that the service granted its lease. Signing needs no network.

A lease token is a JWT (RFC 7519) signed with Ed25519. Programs rely on its claims, so they are part of the contract.
"""

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from hashlib import sha256
from typing import Annotated

import jwt
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import to_json

from shared.edge.public_keys import MAKE_THEM, MAX_KEYS, PublicKey, public_keys, read_keys
from shared.edge.settings import SettingsError, settings
from shared.rules.license import License, normal_key
from shared.rules.session import Session, grace_ends_at, is_borrowed

TOKEN_TYPE = "seatlease-lease+jwt"  # noqa: S105 the header's typ, which keeps other JWTs from being taken for a lease
_VARIABLE = "SEATLEASE_SIGNING_KEYS"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class PrivateKey(PublicKey):
    """One key with its secret ``d``, which ``repr`` does not show."""

    d: Annotated[SecretStr, Field(min_length=43, max_length=43)]


class PrivateKeySet(BaseModel):
    """The keys of the service. The first one signs."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    keys: Annotated[list[PrivateKey], Field(min_length=1, max_length=MAX_KEYS)]


class LeaseTokens:
    """Signs leases with one key."""

    def __init__(self, key: jwt.PyJWK, *, kid: str, project: str) -> None:
        self._jws = jwt.PyJWS()
        self._key = key
        self._header = {"kid": kid, "typ": TOKEN_TYPE}
        self._issuer = f"seatlease/{project}"

    def sign(
        self, session: Session, license_: License, *, organization_id: str, now: datetime, nonce: str | None = None
    ) -> str:
        """Sign the lease of a session. Times in the token are whole seconds, rounded down.

        With the request's ``nonce`` in it, the token answers this request and no other.
        """
        ends_at = _seconds(grace_ends_at(session, license_, now=now))
        claims: dict[str, object] = {
            "iss": self._issuer,
            "sub": session.user_id,
            "iat": _seconds(now),
            "exp": ends_at,
            "organization_id": organization_id,
            "license_id": session.license_id,
            "license_key_sha256": _key_digest(license_.license_key),
            "session_id": session.session_id,
            "hardware_sha256": sha256(session.hardware_id.encode()).hexdigest(),
            "lease_expires_at": _seconds(session.lease_expires_at),
            "grace_ends_at": ends_at,
            "borrowed": is_borrowed(session, now=now),
            "license_expires_at": None if license_.expires_at is None else _seconds(license_.expires_at),
            "features": dict(license_.features),
            **({} if nonce is None else {"nonce": nonce}),
        }
        # By the library's JWS: its JWT copies the claims and looks among them for dates, of which these have none.
        return self._jws.encode(to_json(claims), self._key, algorithm="EdDSA", headers=self._header)


@cache
def lease_tokens() -> LeaseTokens:
    """Make the signer of this instance. Call it at import: an instance that cannot sign does not start.

    Raises:
        SettingsError: the keys are missing, have another form, or the first one is not among the public keys.
    """
    env = settings()
    if env.signing_keys is None:
        message = f"refusing to start: {_VARIABLE} is missing; it holds the keys that sign leases. {MAKE_THEM}"
        raise SettingsError(message)
    keys = read_keys(PrivateKeySet, env.signing_keys.get_secret_value(), variable=_VARIABLE).keys
    usable = [(key.kid, _usable(key)) for key in keys]
    kid, signing = usable[0]
    if env.public_keys is not None and kid not in {each.kid for each in public_keys().keys}:
        message = (
            f"refusing to start: the signing key ({kid}) is not in SEATLEASE_PUBLIC_KEYS, so no program could "
            "verify its tokens; publish it there first"
        )
        raise SettingsError(message)
    return LeaseTokens(signing, kid=kid, project=env.project)


def _usable(key: PrivateKey) -> jwt.PyJWK:
    try:
        return jwt.PyJWK({**key.model_dump(), "d": key.d.get_secret_value()})
    except jwt.PyJWTError as error:
        message = f"refusing to start: {_VARIABLE} holds no usable set of keys: {key.kid}: {error}. {MAKE_THEM}"
    raise SettingsError(message)


@lru_cache(maxsize=10_000)
def _key_digest(license_key: str) -> str:
    return sha256(normal_key(license_key).encode()).hexdigest()


def _seconds(time: datetime) -> int:
    return (time - _EPOCH) // _SECOND
