"""What can go wrong in the store that the caller would treat differently.

::

    StoreError
    ├── Conflict          somebody was faster; nothing was written; read again
    │   └── Contended     ... and again, until the deadline: asking again is safe
    └── StoreUnavailable  Firestore did not answer in time; asking again is safe

    TopicError
    ├── TopicUnavailable  Pub/Sub did not confirm in time; publishing again is safe
    └── MessageRejected   Pub/Sub will not take this message however often it is sent

Whatever is neither (a missing index, a missing right) is a fault of ours and passes through as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc


class StoreError(Exception):
    """The store could not do what was asked. Whatever was written was written whole."""


class Conflict(StoreError):  # noqa: N818 named after what happened, as the codes that clients see
    """A document changed between the read and the commit. Nothing was written."""


class Contended(Conflict):
    """Others were faster until the deadline. A commit under way may still write what was asked: asking again is safe.

    Source of the doubt: a request gives up at its deadline, and the commit that it is part of goes on for the others.
    """


class StoreUnavailable(StoreError):  # noqa: N818 as above
    """Firestore did not answer. A commit under way may or may not have been written, whole; asking again is safe."""


class TopicError(Exception):
    """Audit events could not be published. They stay in Firestore, unpublished."""


class TopicUnavailable(TopicError):  # noqa: N818 as above
    """Pub/Sub did not confirm. What was sent may or may not have been published; publishing it again is safe."""


class MessageRejected(TopicError):  # noqa: N818 as above
    """Pub/Sub refuses a message for what it is. Nothing of the request was published."""


_PASSING = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
    }
)
_CONFLICTS = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
    }
)


@contextmanager
def reading() -> Iterator[None]:
    """Tell a store that does not answer from a fault of ours, around a read."""
    try:
        yield
    except grpc.RpcError as error:
        code, words = _told_by(error)
        if code in _PASSING:
            raise StoreUnavailable(words) from error
        raise


@contextmanager
def committing() -> Iterator[None]:
    """Do the same around a commit, where a failed precondition means that somebody was faster."""
    try:
        yield
    except grpc.RpcError as error:
        code, words = _told_by(error)
        if code in _CONFLICTS:
            raise Conflict(words) from error
        if code in _PASSING:
            raise StoreUnavailable(words) from error
        raise


def _told_by(error: Any) -> tuple[grpc.StatusCode, str]:  # noqa: ANN401 what a call raises is an error and a call at once
    code: grpc.StatusCode = error.code()
    return code, f"{code.name}: {error.details()}"
