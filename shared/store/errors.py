"""What can go wrong in the store that the caller would treat differently.

::

    StoreError
    ├── Conflict          somebody was faster; nothing was written; read again
    │   └── Contended     ... and again, until the deadline: asking again is safe
    └── StoreUnavailable  Firestore did not answer in time; asking again is safe

Whatever is neither (a missing index, a missing right) is a fault of ours and passes through as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core import exceptions as google


class StoreError(Exception):
    """The store could not do what was asked. Whatever was written was written whole."""


class Conflict(StoreError):  # noqa: N818 named after what happened, as the codes that clients see
    """A document changed between the read and the commit. Nothing was written."""


class Contended(Conflict):
    """Others were faster until the deadline. Nothing was written for this request."""


class StoreUnavailable(StoreError):  # noqa: N818 as above
    """Firestore did not answer. A commit under way may or may not have been written, whole; asking again is safe."""


_PASSING = (
    google.Aborted,
    google.Cancelled,
    google.DeadlineExceeded,
    google.GatewayTimeout,
    google.InternalServerError,
    google.ResourceExhausted,
    google.ServiceUnavailable,
    google.TooManyRequests,
    google.Unknown,
)


@contextmanager
def reading() -> Iterator[None]:
    """Tell a store that does not answer from a fault of ours, around a read."""
    try:
        yield
    except _PASSING as error:
        raise StoreUnavailable(str(error)) from error


@contextmanager
def committing() -> Iterator[None]:
    """Do the same around a commit, where a failed precondition means that somebody was faster."""
    try:
        yield
    except (google.FailedPrecondition, google.AlreadyExists, google.Conflict, google.NotFound, google.Aborted) as error:
        raise Conflict(str(error)) from error
    except _PASSING as error:
        raise StoreUnavailable(str(error)) from error
