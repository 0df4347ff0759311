"""The form of license keys, as the service has it: a test compares the two."""

import re

from seatlease._service.given import stripped

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32. It leaves out I, L, O and U, which are mistaken for 1, 0 and V when a key is read aloud."""

GROUPS, GROUP_LENGTH = 5, 5
_MISTAKEN = str.maketrans("ILOU", "110V")
_BETWEEN_GROUPS = re.compile(r"[\s\u2010-\u2015\u2212-]+")
_GENERATED = re.compile(f"[{ALPHABET}]{{{GROUPS * GROUP_LENGTH}}}")


def given_key(text: str) -> str:
    """Give the normal form of a key as it was given: also without the marks that files and web pages put around it."""
    return normal_key(stripped(text))


def normal_key(license_key: str) -> str:
    """Give the normal form of a key. Two texts are the same key if their normal forms are the same.

    A generated key is read aloud and typed in. Case, blanks, hyphens and letters that look alike do not matter for it.
    Of a vendor's own key every letter counts, but for blanks around it.
    """
    typed = _BETWEEN_GROUPS.sub("", license_key).upper().translate(_MISTAKEN)
    if _GENERATED.fullmatch(typed) is None:
        return license_key.strip()
    return "-".join(typed[at : at + GROUP_LENGTH] for at in range(0, len(typed), GROUP_LENGTH))
