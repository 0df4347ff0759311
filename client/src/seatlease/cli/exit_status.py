"""Exit statuses: one for each thing that a script would do differently. Those from 69 to 78 are from sysexits.h."""

from seatlease.errors import NoSeatFree, NotEntitled, RequestRefused, SeatleaseError, SignInRequired

PROBLEM = 1
WRONG_USE = 2
UNREACHABLE = 69  # EX_UNAVAILABLE
NO_SEAT = 75  # EX_TEMPFAIL
NOT_ALLOWED = 77  # EX_NOPERM
MISCONFIGURED = 78  # EX_CONFIG
SEAT_LOST = 79
CANNOT_RUN = 126  # as in shells
NOT_FOUND = 127  # as in shells

MEANINGS = {
    PROBLEM: "The doctor found a problem.",
    WRONG_USE: "The command line is wrong.",
    UNREACHABLE: "The license service, or Firebase's sign-in, does not answer.",
    NO_SEAT: "Every seat is in use, or you have too many programs or devices.",
    NOT_ALLOWED: "Nobody is signed in, or there is no right to it.",
    MISCONFIGURED: "An option, a variable or this machine cannot be used.",
    SEAT_LOST: "The program was ended: its seat was revoked or lost.",
    CANNOT_RUN: "The program cannot be run.",
    NOT_FOUND: "There is no such program.",
}


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
