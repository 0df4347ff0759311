"""Floating licenses: a seat while your program works.

::

    with seatlease.Seat(url, license_key, credentials=...) as seat:
        ...
"""

from seatlease._service.credentials import Credentials, RefreshToken
from seatlease._service.device import hardware_id
from seatlease._service.keys import Keys
from seatlease._service.lease_file import LeaseFile
from seatlease._service.lease_token import ProvenLease, verify
from seatlease.errors import (
    BorrowedSeatsLimitReached,
    BorrowingOff,
    BorrowTooLong,
    ClockSetBack,
    DeviceLimitReached,
    InLine,
    InstanceLimitReached,
    LeaseNotProven,
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
    WaitCancelled,
)
from seatlease.events import Change, Waiting
from seatlease.lease import Feature, Lease, Seats, State
from seatlease.seat import AsyncSeat, Seat
from seatlease.version import __version__

__all__ = [
    "AsyncSeat",
    "BorrowTooLong",
    "BorrowedSeatsLimitReached",
    "BorrowingOff",
    "Change",
    "ClockSetBack",
    "Credentials",
    "DeviceLimitReached",
    "Feature",
    "InLine",
    "InstanceLimitReached",
    "Keys",
    "Lease",
    "LeaseFile",
    "LeaseNotProven",
    "LicenseNotAllowed",
    "LicenseNotStarted",
    "NoSeatFree",
    "NotEntitled",
    "OwnSession",
    "ProvenLease",
    "RefreshToken",
    "RequestRefused",
    "Seat",
    "SeatleaseError",
    "Seats",
    "ServiceUnreachable",
    "SessionIdle",
    "SessionLost",
    "SessionRevoked",
    "SignInRequired",
    "State",
    "WaitCancelled",
    "Waiting",
    "__version__",
    "hardware_id",
    "verify",
]
