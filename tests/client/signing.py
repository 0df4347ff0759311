"""A service's signing key of a test's own, and lease tokens as the service signs them."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from seatlease._service.keys import Keys

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
LEASE = timedelta(minutes=6)
GRACE = timedelta(hours=24)
TYPE = "seatlease-lease+jwt"


def seconds(time: datetime) -> int:
    return int(time.timestamp())


def claims(**other: Any) -> dict[str, Any]:  # noqa: ANN401 claims of any kind, wrong ones too
    """Claims of a lease that was granted now, with others in place of some; ``...`` leaves one out."""
    told = {
        "iss": "seatlease/demo",
        "sub": "user-1",
        "iat": seconds(NOW),
        "exp": seconds(NOW + LEASE + GRACE),
        "organization_id": "acme",
        "license_id": "license-1",
        "license_key_sha256": sha256(b"KEY-1").hexdigest(),
        "session_id": "iokryylmrinyz47hiqsyd27hbn",
        "hardware_sha256": sha256(b"device-1").hexdigest(),
        "lease_expires_at": seconds(NOW + LEASE),
        "grace_ends_at": seconds(NOW + LEASE + GRACE),
    }
    return {name: told for name, told in {**told, **other}.items() if told is not ...}


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def raw(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def jwk(self) -> dict[str, str]:
        """The public key as the service shows it, named by its RFC 7638 thumbprint."""
        x = urlsafe_b64encode(self.raw).rstrip(b"=").decode()
        members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
        kid = urlsafe_b64encode(sha256(members.encode()).digest()).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA"}

    @property
    def keys(self) -> Keys:
        return Keys.pinned({"keys": [self.jwk]})

    def sign(self, told: dict[str, Any] | None = None, **header: Any) -> str:  # noqa: ANN401 headers of any kind
        headers = {"kid": self.jwk["kid"], "typ": TYPE, **header}
        # As bytes: PyJWT would not sign some of the claims that it must not believe either.
        payload = json.dumps(claims() if told is None else told).encode()
        return jwt.PyJWS().encode(payload, self.private, algorithm="EdDSA", headers=headers)
