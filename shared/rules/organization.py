"""An organization: the tenant, with a cap on the seats of all its licenses together."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Organization:
    """One tenant. If ``max_concurrent_seats`` is ``None``, only the licenses' own caps count."""

    organization_id: str
    name: str
    max_concurrent_seats: int | None
    is_active: bool
