"""Answers: the service's answers as leases or as errors that the caller acts on. Pure.

Source: the service's contract in OpenAPI, ``infra/contracts/openapi.json``.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from seatlease.errors import (
    BorrowedSeatsLimitReached,
    BorrowingOff,
    BorrowTooLong,
    DeviceLimitReached,
    InLine,
    InstanceLimitReached,
    LicenseNotAllowed,
    LicenseNotStarted,
    NoSeatFree,
    NotEntitled,
    OwnSession,
    RequestRefused,
    SeatleaseError,
    ServiceUnreachable,
    SessionIdle,
    SessionLost,
    SessionRevoked,
    SignInRequired,
)
from seatlease.lease import Feature, Lease, Seats

_SENTENCES = {
    "TOKEN_MISSING": "You are not signed in.",
    "TOKEN_INVALID": "Your sign-in is not valid for this service. Please sign in again.",
    "TOKEN_EXPIRED": "Your sign-in has expired. Please sign in again.",
    "NO_ORGANIZATION": "Your account belongs to no organization with licenses. Ask your administrator to add you.",
    "ORGANIZATION_INACTIVE": "Your organization is deactivated. Please talk to your administrator.",
    "USER_INACTIVE": "You are not an active member of the organization. Please talk to your administrator.",
    "ROLE_NOT_ALLOWED": "Your role in the organization does not allow this. Please talk to your administrator.",
    "LICENSE_INACTIVE": "The license is deactivated. Please talk to your administrator.",
    "LICENSE_EXPIRED": "The license has expired. Please talk to your administrator.",
    "LICENSE_NOT_ALLOWED": "The license is for other groups of users. Please talk to your administrator.",
    "LICENSE_MISCONFIGURED": "The license is not set up properly. Please tell your administrator.",
    "BORROWING_OFF": "Seats of this license cannot be borrowed. Please talk to your administrator.",
    "LICENSE_NOT_FOUND": "Your organization has no license with this key.",
    "SESSION_NOT_FOUND": "Your session no longer exists.",
    "SESSION_EXPIRED": "Your lease ran out, so your seat is free for other users.",
    "SESSION_RELEASED": "Your seat was given back.",
    "SESSION_REVOKED": "Your session was ended by an administrator.",
    "SESSION_IDLE": "Your seat was given back because you had done nothing for a while.",
}

_KINDS: Mapping[str, type[SeatleaseError]] = {
    "TOKEN_MISSING": SignInRequired,
    "TOKEN_INVALID": SignInRequired,
    "TOKEN_EXPIRED": SignInRequired,
    "LICENSE_NOT_ALLOWED": LicenseNotAllowed,
    "BORROWING_OFF": BorrowingOff,
    "SESSION_EXPIRED": SessionLost,
    "SESSION_RELEASED": SessionLost,
    "SESSION_NOT_FOUND": SessionLost,
    "SESSION_IDLE": SessionIdle,
    "SESSION_REVOKED": SessionRevoked,
}
"""The codes whose class does not follow from their status."""
_ASK_AGAIN = {
    "RATE_LIMITED": "The license service has had too many requests from you in a short time. Please try again.",
    "BODY_TOO_SLOW": "The request to the license service took too long to arrive. Please try again.",
}
"""Refusals that say nothing about the seat: the same request succeeds later."""
_INSTANCES, _DEVICES = "INSTANCE_LIMIT_REACHED", "USER_DEVICE_LIMIT_REACHED"
_BORROWED = "BORROWED_SEATS_LIMIT_REACHED"
_SEATS = frozenset({"SEAT_LIMIT_REACHED", "ORGANIZATION_SEAT_LIMIT_REACHED", _INSTANCES, _DEVICES, _BORROWED})

_LATER = "Please try again in a while."
NOT_THE_SERVICE = "Something else answered instead of the license service, such as a proxy or a sign-in page."


def lease_of(response: httpx.Response, *, asked_at: float, before: Lease | None = None) -> Lease:
    """Read a 200 or 201 of acquire. With the lease ``before``, read a 200 of heartbeat, which has fewer fields.

    Raises:
        InLine: there is no seat yet, and the user has a place in the line.
        SeatleaseError: as the answer says; ``ServiceUnreachable`` if the answer is not the service's.
    """
    if response.status_code == httpx.codes.ACCEPTED and before is None:
        raise _in_line(response)
    if response.status_code not in {200, 201}:
        raise error_of(response)
    body = _json(response)
    try:
        expires_at, server_time = time_of(body["lease_expires_at"]), time_of(body["server_time"])
        if before is None:
            license_id = str(body["license_id"])
            seats = Seats(in_use=int(body["seats"]["in_use"]), max=int(body["seats"]["max"]))
        else:
            license_id, seats = before.license_id, before.seats
        # An older service leaves these two out, and the features.
        ends, borrowed_until = body.get("license_expires_at"), body.get("borrowed_until")
        return Lease(
            session_id=str(body["session_id"]),
            license_id=license_id,
            lease_expires_at=expires_at,
            grace_ends_at=max(expires_at, time_of(body.get("grace_ends_at", body["lease_expires_at"]))),
            heartbeat_interval=timedelta(seconds=float(body["heartbeat_interval_seconds"])),
            server_time=server_time,
            lease_token=None if (token := body.get("lease_token")) is None else str(token),
            seats=seats,
            asked_at=asked_at,
            features=features_of(body.get("features", {})),
            license_expires_at=None if ends is None else time_of(ends),
            borrowed_until=None if borrowed_until is None else min(expires_at, time_of(borrowed_until)),
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise ServiceUnreachable(NOT_THE_SERVICE) from None


def features_of(told: object) -> Mapping[str, Feature]:
    """Read features, of an answer or of a lease token.

    Raises:
        ValueError: they do not have the form of features.
    """
    if not isinstance(told, dict) or not all(isinstance(each, str | int | float) for each in told.values()):
        message = "no features"
        raise ValueError(message)
    return told


def usage_of(response: httpx.Response) -> dict[str, Any]:
    """Read a 200 of usage: its JSON, unchanged.

    Raises:
        SeatleaseError: as the answer says; ``ServiceUnreachable`` if the answer is not the service's.
    """
    if response.status_code != 200:  # noqa: PLR2004 HTTP's number
        raise error_of(response)
    body = _json(response)
    is_usage = isinstance(body.get("organization"), dict) and isinstance(body.get("licenses"), list)
    if not is_usage or not isinstance(body.get("next_page_token"), str | None):
        raise ServiceUnreachable(NOT_THE_SERVICE)
    return body


def history_of(response: httpx.Response) -> dict[str, Any]:
    """Read a 200 of history: its JSON, unchanged.

    Raises:
        SeatleaseError: as the answer says; ``ServiceUnreachable`` if the answer is not the service's.
    """
    if response.status_code != 200:  # noqa: PLR2004 HTTP's number
        raise error_of(response)
    body = _json(response)
    if not isinstance(body.get("organization"), dict) or not isinstance(body.get("licenses"), list):
        raise ServiceUnreachable(NOT_THE_SERVICE)
    return body


def file_of(response: httpx.Response) -> bytes:
    """Read a 200 with a CSV file.

    Raises:
        SeatleaseError: as the answer says; ``ServiceUnreachable`` if the answer is not the service's.
    """
    if response.status_code != 200:  # noqa: PLR2004 HTTP's number
        raise error_of(response)
    if not response.headers.get("Content-Type", "").startswith("text/csv"):
        raise ServiceUnreachable(NOT_THE_SERVICE)
    return response.content


def error_of(response: httpx.Response) -> SeatleaseError:
    try:
        body = _json(response)["error"]
        code, said = str(body["code"]), str(body["message"])
        request_id, details = str(body["request_id"]), dict(body["details"])
    except (KeyError, TypeError, ValueError, ServiceUnreachable):
        return _not_the_service(response)
    message = _SENTENCES.get(code, said) if code != "INVALID_REQUEST" else _which_fields(details)
    if code in _SEATS:
        return _no_seat_free(response, code=code, request_id=request_id, details=details)
    if response.status_code >= 500 or code in _ASK_AGAIN:  # noqa: PLR2004 what HTTP calls the server's errors
        message = _ASK_AGAIN.get(code, "The license service is not available at the moment.")
        return ServiceUnreachable(
            message,
            retry_after=_retry_after(response),
            is_passing=True,
            code=code,
            request_id=request_id,
            details=details,
        )
    if code == "LICENSE_NOT_STARTED":
        return _not_started(response, code=code, request_id=request_id, details=details)
    if code == "BORROW_TOO_LONG":
        return _borrow_too_long(response, code=code, request_id=request_id, details=details)
    if code == "SESSION_REVOKED" and details.get("reason") == "released_elsewhere":
        message = "Your seat was given back from elsewhere."
    if code == "KEPT_OUT":
        message = _kept_out(details, said)
    kind = _KINDS.get(code, NotEntitled if response.status_code in {403, 404} else RequestRefused)
    return kind(message, code=code, request_id=request_id, details=details)


def _kept_out(details: Mapping[str, Any], said: str) -> str:
    try:
        until = time_of(details["until"]).astimezone()
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return said
    return f"An administrator ended your session. You may take a seat again from {until:%Y-%m-%d %H:%M:%S} on."


def _not_the_service(response: httpx.Response) -> ServiceUnreachable:
    is_passing = is_refused_for_now(response.status_code)
    return ServiceUnreachable(NOT_THE_SERVICE, retry_after=_retry_after(response), is_passing=is_passing)


def is_refused_for_now(status: int) -> bool:
    """Whether it is a refusal that passes. The platform answers 429 and 503 while it starts an instance."""
    return status in {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS} or httpx.codes.is_server_error(status)


def _which_fields(details: Mapping[str, Any]) -> str:
    """Name what the service could not read of a request."""
    fields = details.get("fields")
    known = [each for each in fields if isinstance(each, dict)] if isinstance(fields, list) else []
    told = "; ".join(f"{each.get('field')}: {each.get('problem')}" for each in known)
    return f"The license service cannot read the request ({told})."


def _not_started(response: httpx.Response, *, code: str, request_id: str, details: Mapping[str, Any]) -> SeatleaseError:
    try:
        starts_at = time_of(details["starts_at"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return _not_the_service(response)
    message = f"The license begins on {starts_at.astimezone():%Y-%m-%d at %H:%M}. Please come back then."
    return LicenseNotStarted(message, starts_at=starts_at, code=code, request_id=request_id, details=details)


def _in_line(response: httpx.Response) -> SeatleaseError:
    body = _json(response)
    try:
        waiting = body["waiting"]
        position, of = int(waiting["position"]), int(waiting["of"])
        return InLine(
            f"Every seat is in use. You are in line: position {position} of {of}.",
            position=position,
            of=of,
            since=time_of(waiting["since"]),
            session_id=str(body["session_id"]),
            retry_after=timedelta(seconds=max(1.0, float(waiting["ask_again_in_seconds"]))),
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return ServiceUnreachable(NOT_THE_SERVICE)


def _borrow_too_long(
    response: httpx.Response, *, code: str, request_id: str, details: Mapping[str, Any]
) -> SeatleaseError:
    try:
        latest = time_of(details["latest_until"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return _not_the_service(response)
    message = f"A seat can be borrowed until {latest.astimezone():%Y-%m-%d %H:%M:%S} at most."
    return BorrowTooLong(message, latest_until=latest, code=code, request_id=request_id, details=details)


def _no_seat_free(
    response: httpx.Response, *, code: str, request_id: str, details: Mapping[str, Any]
) -> SeatleaseError:
    try:
        max_seats, earliest = int(details["max"]), details["earliest_expiry_at"]
        known: dict[str, Any] = {
            "max_seats": max_seats,
            "earliest_expiry_at": None if earliest is None else time_of(earliest),
            "retry_after": timedelta(seconds=max(1.0, float(details["retry_after_seconds"]))),
            "code": code,
            "request_id": request_id,
            "details": details,
        }
        if code == _INSTANCES:
            in_use = int(details["instances"])
            message = f"No more programs may work on your seat ({in_use} of {max_seats} do). {_LATER}"
            return InstanceLimitReached(message, in_use=in_use, **known)
        if code == _DEVICES:
            own = [_own_session(each) for each in details["sessions"]]
            message = f"You hold seats on as many devices as the license allows ({max_seats}). Give one back first."
            return DeviceLimitReached(message, sessions=own, in_use=len(own), **known)
        if code == _BORROWED:
            in_use = int(details["borrowed"])
            message = f"As many seats are borrowed as the license allows ({in_use} of {max_seats}). {_LATER}"
            return BorrowedSeatsLimitReached(message, in_use=in_use, **known)
        in_use, others = int(details["in_use"]), int(details.get("reserved_for_others", 0))
        waiting, for_waiting = int(details.get("waiting", 0)), int(details.get("for_waiting", 0))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return _not_the_service(response)
    which = "of your organization " if code == "ORGANIZATION_SEAT_LIMIT_REACHED" else ""
    which = "that you may use " if others else which
    reserved = f"; {others} are reserved for other groups" if others else ""
    message = f"Every seat {which}is in use ({in_use} of {max_seats}{reserved}). {_LATER}"
    if for_waiting:
        message = f"The free seats are for users who wait already ({waiting} do). Please wait too, or try again later."
    return NoSeatFree(message, in_use=in_use, reserved_for_others=others, waiting=waiting, **known)


def _own_session(told: Mapping[str, Any]) -> OwnSession:
    return OwnSession(
        session_id=str(told["session_id"]),
        hardware_id=str(told["hardware_id"]),
        started_at=time_of(told["started_at"]),
    )


def _json(response: httpx.Response) -> dict[str, Any]:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ServiceUnreachable(NOT_THE_SERVICE)
    try:
        body = response.json()
    except ValueError:
        raise ServiceUnreachable(NOT_THE_SERVICE) from None
    if not isinstance(body, dict):
        raise ServiceUnreachable(NOT_THE_SERVICE)
    return body


def time_of(text: str) -> datetime:
    """Read a time that the service wrote.

    Raises:
        ValueError: the text is not such a time.
    """
    # Python 3.10 reads no "Z", and no fraction but of three or six digits.
    if not text.endswith("Z"):
        message = "not a time of the service"
        raise ValueError(message)
    whole, _, fraction = text[:-1].partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction:0<6.6}+00:00")


def _retry_after(response: httpx.Response) -> timedelta | None:
    # The service sends seconds. A date, which HTTP allows too, would have to be read by a clock that may be wrong.
    text = response.headers.get("retry-after", "")
    return timedelta(seconds=int(text)) if text.isdecimal() and len(text) < 7 else None  # noqa: PLR2004 eleven days are plenty
