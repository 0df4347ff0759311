"""Names that are computed from content, so that the same content always gets the same name."""

import json
from base64 import b32encode
from hashlib import sha256

BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
"""The characters of a digest."""

DIGEST_LENGTH = 26
"""26 characters of base32 are 130 bits. Something gets the name of one of a billion other things with a probability
below 2**-100."""

_BYTES = 20
"""Enough for the characters, and a multiple of five: then the encoder pads nothing."""


def digest(*parts: str) -> str:
    """Hash the parts, in order, to 26 lower-case base32 characters. Different lists of parts give different digests."""
    # Joined as a JSON list, so that ("ab", "c") and ("a", "bc") differ.
    hashed = sha256(json.dumps(parts).encode()).digest()[:_BYTES]
    return b32encode(hashed).decode().lower()[:DIGEST_LENGTH]
