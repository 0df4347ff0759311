"""When the documents allow a seat to be granted, written independently of the functions' models."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Fields = Mapping[str, Any]

NO_SEAT = -1
"""The cap of what gives no seat at all."""


def cap_of_license(fields: Fields | None) -> int:
    """Seats in use of a license at a time, with its overdraft."""
    if fields is None:
        return NO_SEAT
    own, above = _whole(fields.get("max_concurrent_seats", 5)), _whole(fields.get("overdraft_seats", 0))
    return NO_SEAT if min(own, above) < 0 else own + above


def cap_of_organization(fields: Fields | None) -> int | None:
    """Seats in use of an organization at a time; ``None``: as many as its licenses have."""
    if fields is None:
        return NO_SEAT
    cap = fields.get("max_concurrent_seats", 5)
    return None if cap is None else _whole(cap)


def are_open(organization: Fields | None, user: Fields | None, license_: Fields | None) -> bool:
    """Whether nothing but a cap stands between a user and a seat."""
    if organization is None or user is None or license_ is None:
        return False
    if any(fields.get("is_active", True) is not True for fields in (organization, user, license_)):
        return False
    ends = license_.get("expires_at")
    # As of the answer: a moment ago it may have been open.
    is_running = ends is None or (isinstance(ends, datetime) and ends > datetime.now(UTC) - timedelta(seconds=5))
    starts = license_.get("starts_at")
    is_running = is_running and (starts is None or (isinstance(starts, datetime) and starts <= datetime.now(UTC)))
    role = user.get("role", "member")
    return (
        is_running
        and _is_for(license_, user)
        and isinstance(role, str)
        and role.strip().lower() in ("owner", "admin", "member")
    )


def _is_for(license_: Fields, user: Fields) -> bool:
    allowed, groups = license_.get("allowed_groups"), user.get("groups", [])
    if allowed is None:
        return True
    return isinstance(allowed, list) and isinstance(groups, list) and any(each in groups for each in allowed)


def _whole(value: object) -> int:
    return value if type(value) is int else NO_SEAT
