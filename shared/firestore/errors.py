"""The errors of Firestore and Pub/Sub that a caller treats differently.

::

    StoreError
    ├── Conflict          another write came first; nothing was written; read again
    │   └── Contended     every retry failed so until the deadline; asking again is safe
    └── StoreUnavailable  Firestore did not answer in time; asking again is safe

    TopicError
    ├── TopicUnavailable  Pub/Sub did not confirm in time; publishing again is safe
    └── MessageRejected   Pub/Sub refuses this message, and would refuse it every time

    DatabaseUnusable      the database or an index is missing; asking again does not help

Any other error (such as a missing permission) is raised unchanged: the code or the deployment is wrong.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc


class StoreError(Exception):
    """A read or commit failed. Each commit was written as a whole or not at all."""


class Conflict(StoreError):  # noqa: N818 named after what happened, as the codes that clients see
    """A document changed between the read and the commit. Nothing was written."""


class Contended(Conflict):
    """Other writes came first until the deadline. Asking again is safe.

    The request may still be carried out: it gives up at its deadline, but a commit for its group may go on.
    """


class StoreUnavailable(StoreError):  # noqa: N818 as above
    """Firestore did not answer. A commit was written as a whole or not at all. Asking again is safe."""


class DatabaseUnusable(Exception):  # noqa: N818 as above
    """The database does not exist, is in Datastore mode, or lacks an index. Nothing was written."""


class TopicError(Exception):
    """Audit events could not be published. They stay in Firestore, unpublished."""


class TopicUnavailable(TopicError):  # noqa: N818 as above
    """Pub/Sub did not confirm. The messages may or may not be published. Publishing them again is safe."""


class MessageRejected(TopicError):  # noqa: N818 as above
    """Pub/Sub refuses a message of the request as invalid. None of its messages was published."""


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
_UNUSABLE = frozenset({grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND})
_OF_THE_DATABASE = re.compile(r"The (database|project) \S+ does not exist|Firestore API is not available")
"""A commit has the codes of a failed precondition for a database that cannot be used, too. Only Firestore's text tells
them apart. Source: reports of users of Google's clients, who quote these texts."""


@contextmanager
def reading() -> Iterator[None]:
    """Turn the errors of a read that may pass into ``StoreUnavailable``.

    A missing database or index becomes ``DatabaseUnusable``. Others are raised unchanged.
    """
    try:
        yield
    except grpc.RpcError as error:
        code, words = _told_by(error)
        if code in _PASSING:
            raise StoreUnavailable(words) from error
        if code in _UNUSABLE:
            raise DatabaseUnusable(words) from error
        raise


@contextmanager
def committing() -> Iterator[None]:
    """Like ``reading``, for a commit. A failed precondition becomes ``Conflict``."""
    try:
        yield
    except grpc.RpcError as error:
        code, words = _told_by(error)
        if code in _UNUSABLE and _OF_THE_DATABASE.search(words):
            raise DatabaseUnusable(words) from error
        if code in _CONFLICTS:
            raise Conflict(words) from error
        if code in _PASSING:
            raise StoreUnavailable(words) from error
        raise


def _told_by(error: Any) -> tuple[grpc.StatusCode, str]:  # noqa: ANN401 what a call raises is an error and a call at once
    code: grpc.StatusCode = error.code()
    return code, f"{code.name}: {error.details()}"
