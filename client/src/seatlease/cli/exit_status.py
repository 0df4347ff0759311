"""Exit statuses: one for each thing that a script would do differently. Those from 69 to 78 are sysexits.h's."""

from seatlease.errors import NoSeatFree, NotEntitled, RequestRefused, SeatleaseError, SignInRequired

PROBLEM = 1
"""The doctor found something."""
UNREACHABLE = 69
"""EX_UNAVAILABLE: the service, or the sign-in service, does not answer."""
NO_SEAT = 75
"""EX_TEMPFAIL: every seat is in use; later there may be one."""
NOT_ALLOWED = 77
"""EX_NOPERM: nobody is signed in, or the user, the license or the organization may not."""
MISCONFIGURED = 78
"""EX_CONFIG: what was given cannot be used as it is."""
SEAT_LOST = 79
"""The program was ended because its seat was revoked or lost. No number of sysexits.h's."""
CANNOT_RUN = 126
"""The program is there and cannot be run, as shells say it."""
NOT_FOUND = 127
"""There is no such program, as shells say it."""


def of_error(error: SeatleaseError) -> int:
    """Give the status for an error that ends a command."""
    if isinstance(error, NoSeatFree):
        return NO_SEAT
    if isinstance(error, NotEntitled | SignInRequired):
        return NOT_ALLOWED
    if isinstance(error, RequestRefused):
        return MISCONFIGURED
    return UNREACHABLE


def of_program(returncode: int) -> int:
    """Give the program's own status; 128 + n for one that signal n ended, as shells say it."""
    return returncode if returncode >= 0 else 128 - returncode
