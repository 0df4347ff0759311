"""The fake service's tokens: lease tokens signed with a key of its own, and ID tokens that nobody signed."""

import json
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm


class Signer:
    """One key, made anew for each fake service."""

    def __init__(self) -> None:
        """Make it."""
        self._key = Ed25519PrivateKey.generate()
        self._kid = uuid4().hex

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key, as ``GET /v1/keys`` answers."""
        public = json.loads(OKPAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": self._kid, "alg": "EdDSA", "use": "sig"}]}

    def lease_token(
        self,
        *,
        user: str,
        license_id: str,
        session_id: str,
        hardware_id: str,
        granted_at: datetime,
        lease_expires_at: datetime,
        grace_ends_at: datetime,
    ) -> str:
        """Sign what was granted."""
        claims = {
            "iss": "seatlease/fake",
            "sub": user,
            "iat": int(granted_at.timestamp()),
            "exp": int(grace_ends_at.timestamp()),
            "organization_id": "fake-organization",
            "license_id": license_id,
            "session_id": session_id,
            "hardware_sha256": sha256(hardware_id.encode()).hexdigest(),
            "lease_expires_at": int(lease_expires_at.timestamp()),
            "grace_ends_at": int(grace_ends_at.timestamp()),
        }
        headers = {"kid": self._kid, "typ": "seatlease-lease+jwt"}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=headers)


def fake_id_token(user: str) -> str:
    """Make an ID token of this user, worth nothing anywhere else."""
    return jwt.encode({"sub": user}, key="", algorithm="none")


def user_of(authorization: str) -> str:
    """Read the user from a request's header."""
    claims = jwt.decode(authorization.removeprefix("Bearer "), options={"verify_signature": False})
    return str(claims["sub"])
