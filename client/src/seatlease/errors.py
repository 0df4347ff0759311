"""Errors: one class for each thing that a program would do differently. Show their messages to the user.

::

    SeatleaseError
    ├── NoSeatFree           every seat is in use: wait, and ask again
    │   ├── InstanceLimitReached  as many programs work on the user's seat as the license allows: the same
    │   ├── DeviceLimitReached    the user holds seats on as many devices as the license allows: offer to free one
    │   └── BorrowedSeatsLimitReached  as many seats are borrowed as the license lends: work online, or wait
    ├── InLine               the user waits in the service's line: only ``Waiting`` has it
    ├── NotEntitled          the user, the license or the organization has no right to a seat: show the message
    │   ├── LicenseNotStarted     the license begins later: come back then
    │   ├── LicenseNotAllowed     the license is for other groups of users: show the message
    │   ├── BorrowingOff          the license lends no seats: work online
    │   └── BorrowTooLong         the license lends a seat for less: borrow until the time that it names
    ├── SessionLost          the seat was given back or its lease ran out: acquire again
    │   └── SessionIdle           the user had done nothing for too long: acquire again when the user is back
    ├── SessionRevoked       an admin, or the user from elsewhere, ended the session or the right to it: stop
    ├── SignInRequired       the sign-in is missing or not valid: sign in again
    ├── ServiceUnreachable   no answer, or not the service's: try later
    ├── RequestRefused       the request was malformed: correct the program
    ├── LeaseNotProven       the service's keys do not prove the lease token
    │   └── ClockSetBack     this machine's clock shows a time before the lease was granted
    └── WaitCancelled        the program cancelled the waiting for a seat
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


class SeatleaseError(Exception):
    """The base of all errors of this package.

    ``code`` is the service's code, or ``None`` if the error did not come from the service. ``request_id`` finds the
    request in the service's logs. ``details`` is what else the service said.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """``message`` is one sentence for the user."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.request_id = request_id
        self.details: Mapping[str, Any] = details or {}


class NoSeatFree(SeatleaseError):  # noqa: N818 a full license is not a fault
    """Every seat of the license or of the organization is in use. No seat was taken, and asking again is safe.

    ``earliest_expiry_at`` is when the first lease runs out unless its user goes on working. ``retry_after`` is when to
    ask again. ``reserved_for_others`` seats are free, but only for groups that the user does not belong to. ``waiting``
    users are in the license's line.
    """

    def __init__(  # noqa: PLR0913 each is named at the call
        self,
        message: str,
        *,
        in_use: int,
        max_seats: int,
        earliest_expiry_at: datetime | None,
        retry_after: timedelta,
        reserved_for_others: int = 0,
        waiting: int = 0,
        code: str | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, request_id=request_id, details=details)
        self.in_use = in_use
        self.max_seats = max_seats
        self.earliest_expiry_at = earliest_expiry_at
        self.retry_after = retry_after
        self.reserved_for_others = reserved_for_others
        self.waiting = waiting


class InstanceLimitReached(NoSeatFree):
    """As many programs work on the user's seat as the license allows. Wait until one leaves, or free the seat.

    ``in_use`` counts the programs, and ``max_seats`` is how many may work on one seat. ``details["session_id"]`` names
    the session: releasing it stops the others.
    """


@dataclass(frozen=True, kw_only=True)
class OwnSession:
    """A session of the user's own on another device. ``seatlease release`` with its id frees its seat."""

    session_id: str
    hardware_id: str
    started_at: datetime


class DeviceLimitReached(NoSeatFree):
    """The user holds seats on as many devices as the license allows. Let the user free one, or wait.

    ``sessions`` are the user's own, oldest first. ``in_use`` counts them, and ``max_seats`` is how many there may be.
    """

    def __init__(self, message: str, *, sessions: Sequence[OwnSession], **known: Any) -> None:  # noqa: ANN401 those of NoSeatFree
        super().__init__(message, **known)
        self.sessions = tuple(sessions)


class BorrowedSeatsLimitReached(NoSeatFree):
    """As many seats are borrowed as the license lends. A seat that was held already is held still, online.

    ``in_use`` counts the borrowed seats, and ``max_seats`` is how many may be.
    """


class InLine(SeatleaseError):  # noqa: N818 as NoSeatFree
    """The user has the place ``position`` of ``of`` in the license's line, since ``since``. ``acquire`` goes on asking.

    ``session_id`` names the place. ``retry_after`` is when to ask again. Who asks much later loses the place.
    """

    def __init__(  # noqa: PLR0913 each is named at the call
        self,
        message: str,
        *,
        position: int,
        of: int,
        since: datetime,
        session_id: str,
        retry_after: timedelta,
    ) -> None:
        super().__init__(message)
        self.position = position
        self.of = of
        self.since = since
        self.session_id = session_id
        self.retry_after = retry_after


class NotEntitled(SeatleaseError):  # noqa: N818 as NoSeatFree
    """The user, the license or the organization has no right to a seat. Only an admin can help.

    With the code ``KEPT_OUT``, the time in ``details["until"]`` helps too.
    """


class LicenseNotStarted(NotEntitled):
    """The license gives no seat before ``starts_at``."""

    def __init__(self, message: str, *, starts_at: datetime, **known: Any) -> None:  # noqa: ANN401 those of NotEntitled
        super().__init__(message, **known)
        self.starts_at = starts_at


class LicenseNotAllowed(NotEntitled):
    """The license is only for groups that the user does not belong to."""


class BorrowingOff(NotEntitled):
    """The license lends no seats. A seat that was held already is held still, online."""


class BorrowTooLong(NotEntitled):
    """The license lends a seat until ``latest_until`` at most. A seat that was held already is held still, online."""

    def __init__(self, message: str, *, latest_until: datetime, **known: Any) -> None:  # noqa: ANN401 those of NotEntitled
        super().__init__(message, **known)
        self.latest_until = latest_until


class SessionLost(SeatleaseError):  # noqa: N818 as NoSeatFree
    """The session has ended: its lease ran out, or its seat was given back. Acquire again."""


class SessionIdle(SessionLost):
    """The user had done nothing for so long that the license took the seat. The next ``active()`` asks for it again."""


class SessionRevoked(SeatleaseError):  # noqa: N818 as NoSeatFree
    """An admin ended the session, its user did from elsewhere, or the right to it is gone. Stop."""


class SignInRequired(SeatleaseError):  # noqa: N818 as NoSeatFree
    """There are no valid credentials. Let the user sign in again."""


class ServiceUnreachable(SeatleaseError):  # noqa: N818 as NoSeatFree
    """No answer, or not the service's: no network, an outage, or a proxy in between. Try later.

    The request may have taken effect. Asking again is safe. ``retry_after`` is how long the service asks to wait, if it
    says so. ``is_passing`` says that a moment later may be soon enough: something refused for now, or the connection
    broke. ``acquire`` has asked again for ten seconds then.
    """

    def __init__(  # noqa: PLR0913 as NoSeatFree
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        is_passing: bool = False,
        code: str | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, request_id=request_id, details=details)
        self.retry_after = retry_after
        self.is_passing = is_passing


class RequestRefused(SeatleaseError):  # noqa: N818 as NoSeatFree
    """The service could not read the request, such as a license key with line breaks. Correct the program."""


class LeaseNotProven(SeatleaseError):  # noqa: N818 as NoSeatFree
    """The service's keys do not prove the lease token for this request, license, user, device and time."""


class ClockSetBack(LeaseNotProven):
    """The machine's clock was set back: it shows a time before the lease was granted, or before the last start."""


class WaitCancelled(SeatleaseError):  # noqa: N818 as NoSeatFree
    """Waiting for a seat was cancelled. No seat was taken."""
