"""Names that follow from what they name, so that doing a thing twice names it once."""

import base64
import hashlib
import json

BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
"""The characters of a digest."""

DIGEST_LENGTH = 26
"""26 characters of base32 are 130 bits: two different things share a name with probability below 2**-100
even among billions."""

_DIGEST_BYTES = 20
"""What is encoded of the hash: five bytes are eight characters, and the encoder is slow."""


def digest(*parts: str) -> str:
    """Hash the parts, in order, to 26 lower-case base32 characters. No two lists of parts run together."""
    # JSON keeps the parts apart: ("ab", "c") and ("a", "bc") differ.
    hashed = hashlib.sha256(json.dumps(parts).encode()).digest()
    return base64.b32encode(hashed[:_DIGEST_BYTES]).decode().lower()[:DIGEST_LENGTH]
