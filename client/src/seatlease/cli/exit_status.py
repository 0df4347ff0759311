"""Exit statuses: one for each thing that a script would do differently. Those from 69 to 78 are from sysexits.h."""

from seatlease.errors import NoSeatFree, NotEntitled, RequestRefused, SeatleaseError, SignInRequired

PROBLEM = 1
"""The doctor found something."""
UNREACHABLE = 69
"""EX_UNAVAILABLE: the service, or the sign-in service, does not answer."""
NO_SEAT = 75
"""EX_TEMPFAIL: every seat is in use, or as many programs work on the user's seat as may; later there may be one."""
NOT_ALLOWED = 77
"""EX_NOPERM: nobody is signed in, or the user, the license or the organization has no right to a seat."""
MISCONFIGURED = 78
"""EX_CONFIG: an option, a variable or this machine cannot be used."""
SEAT_LOST = 79
"""The program was ended because its seat was revoked or lost. Not from sysexits.h."""
CANNOT_RUN = 126
"""The program exists and cannot be run, as in shells."""
NOT_FOUND = 127
"""There is no such program, as in shells."""


def of_error(error: SeatleaseError) -> int:
    if isinstance(error, NoSeatFree):
        return NO_SEAT
    if isinstance(error, NotEntitled | SignInRequired):
        return NOT_ALLOWED
    if isinstance(error, RequestRefused):
        return MISCONFIGURED
    return UNREACHABLE


def of_program(returncode: int) -> int:
    """Give the program's own status; 128 + n for one that signal n ended, as in shells."""
    return returncode if returncode >= 0 else 128 - returncode
