"""Floating licenses: a seat while your program works.

::

    with seatlease.Seat(url, license_key, credentials=...) as seat:
        ...
"""

from seatlease.credentials import Credentials, RefreshToken
from seatlease.device import hardware_id
from seatlease.errors import (
    ClockSetBack,
    LeaseNotProven,
    NoSeatFree,
    NotEntitled,
    RequestRefused,
    SeatleaseError,
    ServiceUnreachable,
    SessionLost,
    SessionRevoked,
    SignInRequired,
    WaitCancelled,
)
from seatlease.events import Change, Waiting
from seatlease.keys import Keys
from seatlease.lease import Lease, Seats, State
from seatlease.lease_file import LeaseFile
from seatlease.lease_token import ProvenLease, verify
from seatlease.seat import AsyncSeat, Seat
from seatlease.version import __version__

__all__ = [
    "AsyncSeat",
    "Change",
    "ClockSetBack",
    "Credentials",
    "Keys",
    "Lease",
    "LeaseFile",
    "LeaseNotProven",
    "NoSeatFree",
    "NotEntitled",
    "ProvenLease",
    "RefreshToken",
    "RequestRefused",
    "Seat",
    "SeatleaseError",
    "Seats",
    "ServiceUnreachable",
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
