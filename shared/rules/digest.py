"""Names that are computed from content, so that the same content always gets the same name."""

import json
from hashlib import sha256

BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
"""The characters of a digest."""

DIGEST_LENGTH = 26
"""26 characters of base32 are 130 bits. Something gets the name of one of a billion other things with a probability
below 2**-100."""

_PAIRS = [first + second for first in BASE32 for second in BASE32]
_SHIFTS = range(5 * (DIGEST_LENGTH - 2), -1, -10)
_REST = 256 - 5 * DIGEST_LENGTH
"""The bits of the hash that are left out."""


def digest(*parts: str) -> str:
    """Hash the parts, in order, to 26 lower-case base32 characters. Different lists of parts give different digests."""
    # Joined as a JSON list, so that ("ab", "c") and ("a", "bc") differ.
    number = int.from_bytes(sha256(json.dumps(parts).encode()).digest(), "big") >> _REST
    # Two characters at a time. base64.b32encode is slower: it took more than the hash and the JSON together.
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
