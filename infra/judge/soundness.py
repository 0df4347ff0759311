"""Keep only the valid parts of a stored audit event. An admin may have edited it, and a slip must not stop the judge.

Invalid parts are left out here, and ``events`` reports that the event cannot be read.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from shared.admin.review_record import is_json

_T = TypeVar("_T")


def only(kind: type[_T], value: object) -> _T | None:
    """The value if it has this type, else ``None``. ``True`` does not count as a number."""
    return value if isinstance(value, kind) and not (isinstance(value, bool) and kind is int) else None


def sound_details(details: object) -> Mapping[str, Any]:
    """The valid details."""
    if not isinstance(details, Mapping):
        return {}
    return {name: value for name, value in details.items() if name not in _HAS_FORM or _HAS_FORM[name](value)}


def _is_time(value: object) -> bool:
    return value is None or isinstance(value, datetime)


def _is_number(value: object) -> bool:
    return only(int, value) is not None


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _are_seats(value: object) -> bool:
    if not isinstance(value, Mapping) or not {"in_use", "max"} <= value.keys():
        return False
    return _is_number(value["in_use"]) and (value["max"] is None or _is_number(value["max"]))


def _are_counters(value: object) -> bool:
    return value is None or (
        isinstance(value, list)
        and all(
            isinstance(each, Mapping)
            and _is_text(each.get("license_id"))
            and _is_number(each.get("in_use"))
            and _are_pools(each.get("pools", []))
            for each in value
        )
    )


def _are_pools(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, Mapping) and _is_text(each.get("group")) and _is_number(each.get("in_use")) for each in value
    )


def _are_changes(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, Mapping)
        and _is_text(each.get("field"))
        # A license key is shortened, so it is not JSON either.
        and (each["field"] == "license_key" or all(_is_json_or_none(each.get(side)) for side in ("before", "after")))
        for each in value
    )


def _is_json_or_none(text: object) -> bool:
    return text is None or is_json(text)


_HAS_FORM: Mapping[str, Callable[[object], bool]] = {
    "reason": _is_text,
    "instance_id": _is_text_or_none,
    "ip_address": _is_text_or_none,
    "pool": _is_text_or_none,
    "is_overdraft": _is_flag,
    "expires_at": _is_time,
    "days_before": _is_number,
    "limit": _is_text,
    "attempts": _is_number,
    "for_waiting": _is_number,
    "since": _is_time,
    "waited_seconds": _is_number_or_none,
    "started_at": _is_time,
    "last_heartbeat_at": _is_time,
    "lease_expires_at": _is_time,
    "last_attempt_at": _is_time,
    "borrowed_until": _is_time,
    "overhang_until": _is_time,
    "kept_out_until": _is_time,
    "seats": _are_seats,
    "organization_seats": _are_seats,
    "before": _are_counters,
    "after": _are_counters,
    "changes": _are_changes,
}
