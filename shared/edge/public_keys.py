"""The public keys with which programs verify lease tokens. No private key is needed here.

A set of keys is a JWKS (RFC 7517) of Ed25519 keys (RFC 8037), each named by its thumbprint.
"""

import json
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.edge.settings import SettingsError, settings

MAX_KEYS = 4
"""The most keys in a set. Two are normal while a new key replaces an old one; more than a few are a mistake."""

CACHED = {"Cache-Control": "public, max-age=300, s-maxage=300"}
"""An answer lives five minutes in a shared cache, such as Firebase Hosting's, and then five minutes in a program. So a
new key must be published ten minutes before it signs (infra/docs/deploy.md)."""

MAKE_THEM = 'To make keys, run: python -m infra.build.signing_keys new (see deploy.md, "The signing keys")'


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PublicKey(_Form):
    """One key: its point ``x``, and its name ``kid``, which is computed from ``x``."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]

    @model_validator(mode="after")
    def _has_its_name(self) -> Self:
        if self.kid != thumbprint(self.x):
            message = "kid is not the key's thumbprint (RFC 7638)"
            raise ValueError(message)
        return self


class PublicKeySet(_Form):
    """The answer of ``GET /v1/keys``: every key that may have signed a valid token."""

    keys: Annotated[list[PublicKey], Field(min_length=1, max_length=MAX_KEYS)]

    @model_validator(mode="before")
    @classmethod
    def _has_nothing_private(cls, data: Any) -> Any:  # noqa: ANN401 anything may stand there
        keys = data.get("keys") if isinstance(data, dict) else None
        if isinstance(keys, list) and any(isinstance(key, dict) and "d" in key for key in keys):
            message = "a private key is among the public ones; others may know it now, so replace it with a new key"
            raise ValueError(message)
        return data


KeySet = TypeVar("KeySet", bound=BaseModel)


def thumbprint(x: str) -> str:
    """The name of the key with this point. Source: RFC 7638, and RFC 8037 on the members that are hashed."""
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return urlsafe_b64encode(sha256(members.encode()).digest()).rstrip(b"=").decode()


@cache
def public_keys() -> PublicKeySet:
    """Read the keys that are published.

    Raises:
        SettingsError: they are missing or have another form.
    """
    text = settings().public_keys
    if text is None:
        message = f"refusing to start: SEATLEASE_PUBLIC_KEYS is missing. {MAKE_THEM}"
        raise SettingsError(message)
    return read_keys(PublicKeySet, text, variable="SEATLEASE_PUBLIC_KEYS")


def read_keys(form: type[KeySet], text: str, *, variable: str) -> KeySet:
    """Read a set of keys from the text of a variable.

    Raises:
        SettingsError: the text has another form. The message names the place, but shows nothing of the text.
    """
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        told = "; ".join(f"{'.'.join(map(str, each['loc']))} {each['msg']}".strip() for each in wrong)
    message = f"refusing to start: {variable} holds no usable set of keys: {told}. {MAKE_THEM}"
    raise SettingsError(message)
