"""An organization: the tenant, with a cap on the seats of all its licenses together."""

import re
import unicodedata
from dataclasses import dataclass

MAX_SLUG_LENGTH = 100
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Organization:
    """One tenant. If ``max_concurrent_seats`` is ``None``, only the licenses' own caps count."""

    organization_id: str
    name: str
    max_concurrent_seats: int | None
    is_active: bool


def is_slug(text: str) -> bool:
    """Whether it is small letters and digits in groups that hyphens separate, at most 100 characters."""
    return len(text) <= MAX_SLUG_LENGTH and _SLUG.fullmatch(text) is not None


def slug_of(name: str) -> str | None:
    """Make a slug from a name; ``None`` if the name has no letter or digit of ASCII, also without accents."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:MAX_SLUG_LENGTH].strip("-") or None
