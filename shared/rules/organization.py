"""An organization: the tenant, with a cap on the seats of all its licenses together."""

import re
import unicodedata
from dataclasses import dataclass

MAX_SLUG_LENGTH = 100
_PROVIDER = re.compile(r"(saml|oidc)\.[a-z][A-Za-z0-9._-]*[A-Za-z0-9]")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Organization:
    """One tenant. If ``max_concurrent_seats`` is ``None``, only the licenses' own caps count.

    Users with an address of ``email_domains``, or who sign in with one of ``sso_providers``, may join by themselves.
    """

    organization_id: str
    name: str
    max_concurrent_seats: int | None
    is_active: bool
    email_domains: tuple[str, ...] = ()
    sso_providers: tuple[str, ...] = ()


def is_sso(provider: str) -> bool:
    """Whether a way to sign in is a company's own: whoever runs it chooses which addresses it tells."""
    return provider.startswith(("saml.", "oidc."))


def is_provider_id(text: str) -> bool:
    """Whether it is the id of a company's single sign-on in Firebase, such as ``saml.acme``.

    Source: Identity Platform's reference of its SAML and OIDC configurations.
    """
    return _PROVIDER.fullmatch(text) is not None


def is_slug(text: str) -> bool:
    """Whether it is small letters and digits in groups that hyphens separate, at most 100 characters."""
    return len(text) <= MAX_SLUG_LENGTH and _SLUG.fullmatch(text) is not None


def slug_of(name: str) -> str | None:
    """Make a slug from a name; ``None`` if the name has no letter or digit of ASCII, also without accents."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:MAX_SLUG_LENGTH].strip("-") or None
