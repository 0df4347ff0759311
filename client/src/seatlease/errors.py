"""Errors: one class for each thing that a program would do differently. Their messages are fit for an end user.

::

    SeatleaseError
    ├── NoSeatFree           every seat is in use: wait, and ask again
    ├── NotEntitled          the user, the license or the organization may not: stop, and show the message
    ├── SessionLost          the seat was given back or its lease ran out: acquire again
    ├── SessionRevoked       somebody ended the session, or the right to it: stop
    ├── SignInRequired       nobody is signed in, or not validly: sign in again
    ├── ServiceUnreachable   no answer, or not one of the service's: try later
    ├── RequestRefused       the request was malformed: a fault in the program
    ├── LeaseNotProven       a lease token that the service's keys do not prove
    │   └── ClockSetBack     this machine's clock shows a time before the lease was granted
    └── WaitCancelled        the program stopped waiting for a seat
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any


class SeatleaseError(Exception):
    """Something that licensing has to tell. Catch it to catch all of them.

    ``code`` is the service's own name for it (``None`` when it did not come from the service), ``request_id`` finds it
    in the service's logs, ``details`` is what else the service said.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell it in one sentence that an end user can be shown."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.request_id = request_id
        self.details: Mapping[str, Any] = details or {}


class NoSeatFree(SeatleaseError):  # noqa: N818 what the caller meets is a full license, not an error of anybody's
    """Every seat is in use, of the license or of the organization. Nothing was taken; asking again is safe.

    ``earliest_expiry_at`` is when the first of the leases runs out unless its user goes on working.
    """

    def __init__(  # noqa: PLR0913 each is named at the call
        self,
        message: str,
        *,
        in_use: int,
        max_seats: int,
        earliest_expiry_at: datetime | None,
        retry_after: timedelta,
        code: str | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell how full it is and when to ask again."""
        super().__init__(message, code=code, request_id=request_id, details=details)
        self.in_use = in_use
        self.max_seats = max_seats
        self.earliest_expiry_at = earliest_expiry_at
        self.retry_after = retry_after


class NotEntitled(SeatleaseError):  # noqa: N818 as NoSeatFree
    """The user, the license or the organization may not have a seat. Asking again does not help; an admin can."""


class SessionLost(SeatleaseError):  # noqa: N818 as NoSeatFree
    """The session is over: its lease ran out, or its seat was given back. Acquire again."""


class SessionRevoked(SeatleaseError):  # noqa: N818 as NoSeatFree
    """Somebody ended the session, or took away the right to it. Stop."""


class SignInRequired(SeatleaseError):  # noqa: N818 as NoSeatFree
    """There are no valid credentials. Have the user sign in again."""


class ServiceUnreachable(SeatleaseError):  # noqa: N818 as NoSeatFree
    """No answer, or none that the service would give: no network, an outage, a proxy in between. Try later.

    Whether the request took effect is unknown; asking again is safe. ``retry_after`` is when the service wants it.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        code: str | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell why, and when to try again if the service said so."""
        super().__init__(message, code=code, request_id=request_id, details=details)
        self.retry_after = retry_after


class RequestRefused(SeatleaseError):  # noqa: N818 as NoSeatFree
    """The service could not read the request, such as a license key with line breaks. The program is to be mended."""


class LeaseNotProven(SeatleaseError):  # noqa: N818 as NoSeatFree
    """A lease token is not what the service's keys would have signed for this license, device and time."""


class ClockSetBack(LeaseNotProven):
    """The machine's clock shows a time before the lease was granted: it was set back."""


class WaitCancelled(SeatleaseError):  # noqa: N818 as NoSeatFree
    """Waiting for a seat was cancelled. None was taken."""
