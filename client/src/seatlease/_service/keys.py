"""Keys: the service's public keys, pinned in the program or fetched."""

import json
import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt

from seatlease._service import first_answer
from seatlease._service.address import base_of, has_broken, naming_the_proxy, refuse_in_clear, why_unreachable
from seatlease._service.answers import is_refused_for_now
from seatlease._service.certificates import trusted
from seatlease._service.clock import elapsed
from seatlease._service.given import stripped
from seatlease.errors import RequestRefused, ServiceUnreachable

logger = logging.getLogger("seatlease")

_FETCH_WITHIN_SECONDS = 10.0
_FETCH_AGAIN_AFTER_SECONDS = 60.0
"""So that a server that signs with keys of its own does not have them fetched with each answer."""
_MAX_ANSWER_BYTES = 1_000_000


class Keys:
    """The service's public keys, by their names. Make them with ``pinned``. ``fetch`` gets them, to pin them.

    A program that fetches the keys at each start trusts any server that answers. Only pinned keys protect against
    redirected requests. The service shows a new key some time before it signs with it: pin it then. Fetched keys of a
    ``Seat`` are fetched again for an answer by a key that is not among them, at most once a minute.
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
        self._fetched_from: str | None = None
        self._fetch_again_from = -math.inf

    @classmethod
    def pinned(cls, jwks: Mapping[str, Any] | str) -> "Keys":
        """Take the answer of the service's ``GET /v1/keys``: a JWKS, as JSON text or already parsed.

        Raises:
            ValueError: it is not a set of public Ed25519 keys, each with a kid.
        """
        read = json.loads(stripped(jwks)) if isinstance(jwks, str) else jwks
        if not isinstance(read, Mapping):
            message = "a JWKS is a JSON object"
            raise ValueError(message)  # noqa: TRY004 JSON that is no JWKS is a wrong value, whatever its type
        return cls(read)

    @classmethod
    def fetch(cls, url: str) -> "Keys":
        """Get the keys of the service at this address over the network. Do it once, and pin its ``jwks``.

        Raises:
            RequestRefused: the keys would come in clear from another machine, which others can exchange on the way; or
                the environment names a proxy that cannot be used.
            ServiceUnreachable: the service did not answer, or not with keys.
        """
        base = base_of(url)
        refuse_in_clear(base)
        give_up_at, tries = elapsed() + first_answer.WITHIN_SECONDS, 0
        while True:
            tries += 1
            try:
                keys = cls._asked(base)
            except ServiceUnreachable as error:
                pause = first_answer.pause_before_next(error, tries=tries, left=give_up_at - elapsed())
                if pause is None:
                    raise
                time.sleep(pause)
            else:
                keys._fetched_from = base  # noqa: SLF001 of its own class
                return keys

    @classmethod
    def _asked(cls, base: str) -> "Keys":
        is_passing = False
        with naming_the_proxy():
            http = httpx.Client(verify=trusted(), timeout=_FETCH_WITHIN_SECONDS, follow_redirects=False)
        try:
            with http:
                response = http.get(f"{base}/v1/keys")
            if response.status_code == httpx.codes.OK and len(response.content) <= _MAX_ANSWER_BYTES:
                return cls.pinned(response.text)
            failure, is_passing = f"it answered {response.status_code}", is_refused_for_now(response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure, is_passing = why_unreachable(error), has_broken(error)
        except (ValueError, RecursionError):
            failure = "something else answered"
        message = f"The license service's keys could not be fetched from {base} ({failure})."
        raise ServiceUnreachable(message, is_passing=is_passing)

    def may_be_outdated(self, lease_token: str) -> bool:
        """Whether these were fetched, and the key that signed the token is not among them."""
        if self._fetched_from is None or elapsed() < self._fetch_again_from:
            return False
        try:
            kid = jwt.get_unverified_header(lease_token).get("kid")
        except jwt.PyJWTError:
            return False
        return self.named(kid) is None

    def fetch_again(self) -> None:
        """Take the keys that the service has now. Without an answer these stay. It blocks for ten seconds at most."""
        if self._fetched_from is None:
            return
        self._fetch_again_from = elapsed() + _FETCH_AGAIN_AFTER_SECONDS
        try:
            newer = self._asked(self._fetched_from)
        except (ServiceUnreachable, RequestRefused) as error:
            logger.info("%s", error.message)
        else:  # instead of these, not besides: a key that leaked is taken away
            self._keys, self.jwks = newer._keys, newer.jwks  # noqa: SLF001 of its own class

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
