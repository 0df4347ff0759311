"""Floating licenses: a seat while your program works, and not one too many.

::

    with seatlease.Seat(url, license_key, credentials=...) as seat:
        ...
"""

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
from seatlease.lease import Lease, Seats, State
from seatlease.seat import AsyncSeat, Seat
from seatlease.version import VERSION as __version__
