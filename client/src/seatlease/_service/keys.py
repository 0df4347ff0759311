"""Keys: the service's public keys, pinned in the program."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import jwt

from seatlease._service.address import base_of, refuse_in_clear, why_unreachable
from seatlease.errors import ServiceUnreachable

_FETCH_WITHIN_SECONDS = 10.0
_MAX_ANSWER_BYTES = 1_000_000


class Keys:
    """The service's public keys, by their names. Make them with ``pinned``. ``fetch`` gets them once, to pin them.

    A program that fetches the keys at each start trusts any server that answers. Only pinned keys protect against
    redirected requests. The service shows a new key some time before it signs with it: pin it then.
    """

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        members = jwks.get("keys")
        if not isinstance(members, list) or not members:
            message = "a JWKS needs a list of keys named keys, with at least one key"
            raise ValueError(message)
        self._keys = dict(_usable(member) for member in members)
        if len(self._keys) != len(members):
            message = "two keys have the same kid"
            raise ValueError(message)
        self.jwks: Mapping[str, Any] = jwks

    @classmethod
    def pinned(cls, jwks: Mapping[str, Any] | str) -> "Keys":
        """Take the answer of the service's ``GET /v1/keys``: a JWKS, as JSON text or already parsed.

        Raises:
            ValueError: it is not a set of public Ed25519 keys, each with a kid.
        """
        read = json.loads(jwks) if isinstance(jwks, str) else jwks
        if not isinstance(read, Mapping):
            message = "a JWKS is a JSON object"
            raise ValueError(message)  # noqa: TRY004 JSON that is no JWKS is a wrong value, whatever its type
        return cls(read)

    @classmethod
    def fetch(cls, url: str) -> "Keys":
        """Get the keys of the service at this address over the network. Do it once, and pin its ``jwks``.

        Raises:
            RequestRefused: the keys would come in clear from another machine, which others can exchange on the way.
            ServiceUnreachable: the service did not answer, or not with keys.
        """
        base = base_of(url)
        refuse_in_clear(base)
        try:
            response = httpx.get(f"{base}/v1/keys", timeout=_FETCH_WITHIN_SECONDS, follow_redirects=False)
            if response.status_code == httpx.codes.OK and len(response.content) <= _MAX_ANSWER_BYTES:
                return cls.pinned(response.text)
            failure = f"it answered {response.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = why_unreachable(error)
        except (ValueError, RecursionError):
            failure = "something else answered"
        message = f"The license service's keys could not be fetched from {base} ({failure})."
        raise ServiceUnreachable(message)

    def named(self, kid: object) -> jwt.PyJWK | None:
        return self._keys.get(kid) if isinstance(kid, str) else None


def _usable(member: object) -> tuple[str, jwt.PyJWK]:
    if not isinstance(member, dict):
        message = "a key is a JSON object"
        raise ValueError(message)  # noqa: TRY004 as above
    kid, crv, alg = (member.get(name) for name in ("kid", "crv", "alg"))
    if "d" in member:
        message = f"the JWKS contains a private key ({kid}): anyone who has it could sign leases"
        raise ValueError(message)
    # EdDSA is Ed448 too, and a key without its algorithm could be taken for one of another kind.
    if not isinstance(kid, str) or not kid or (member.get("kty"), crv, alg) != ("OKP", "Ed25519", "EdDSA"):
        message = "each key needs a kid, the kty OKP, the crv Ed25519 and the alg EdDSA"
        raise ValueError(message)
    try:
        return kid, jwt.PyJWK(member)
    except jwt.PyJWTError:
        message = f"the key {kid} is not valid"
    raise ValueError(message)
