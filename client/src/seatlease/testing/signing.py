"""The fake service's tokens: lease tokens signed with its own key, and unsigned ID tokens."""

import json
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from seatlease._service.license_key import normal_key
from seatlease.testing.ledger import Session, Terms


class Signer:
    """One key, new for each fake service."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._kid = uuid4().hex

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key, as ``GET /v1/keys`` answers."""
        public = json.loads(OKPAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": self._kid, "alg": "EdDSA", "use": "sig"}]}

    def lease_token(  # noqa: PLR0913 each is named at the call
        self,
        session: Session,
        *,
        license_id: str,
        license_key: str,
        terms: Terms,
        grace_ends_at: datetime,
        nonce: str | None,
    ) -> str:
        claims = {
            "iss": "seatlease/fake",
            "sub": session.user,
            "iat": int(session.decided_at.timestamp()),
            "exp": int(grace_ends_at.timestamp()),
            "organization_id": "fake-organization",
            "license_id": license_id,
            "license_key_sha256": sha256(normal_key(license_key).encode()).hexdigest(),
            "session_id": session.session_id,
            "hardware_sha256": sha256(session.hardware_id.encode()).hexdigest(),
            "lease_expires_at": int(session.lease_expires_at.timestamp()),
            "grace_ends_at": int(grace_ends_at.timestamp()),
            "license_expires_at": None if terms.expires_at is None else int(terms.expires_at.timestamp()),
            "features": dict(terms.features),
            "borrowed": session.is_borrowed(now=session.decided_at),
            **({} if nonce is None else {"nonce": nonce}),
        }
        headers = {"kid": self._kid, "typ": "seatlease-lease+jwt"}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=headers)


def fake_id_token(user: str) -> str:
    """Make an ID token of this user. Only the fake service accepts it."""
    return jwt.encode({"sub": user}, key="", algorithm="none")


def user_of(authorization: str) -> str:
    claims = jwt.decode(authorization.removeprefix("Bearer "), options={"verify_signature": False})
    return str(claims["sub"])
