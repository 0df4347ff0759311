"""Retries after a conflict with another write, or while Firestore does not answer for a moment."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from google.api_core.exceptions import RetryError
from google.api_core.retry_async import AsyncRetry, if_exception_type

from shared.firestore.errors import StoreError, StoreUnavailable

READ_WITHIN = timedelta(seconds=12)
"""How long a scheduled run retries a read. One slow answer must not end a run that may take a minute."""

_Result = TypeVar("_Result")


def retrying(*kinds: type[Exception], within: timedelta) -> AsyncRetry:
    """Repeat an attempt that fails with one of these errors, for at most ``within`` in all.

    Pauses have full jitter, so that instances that collided once do not collide again at the same moment.
    """
    predicate = if_exception_type(*(kinds or (StoreError,)))
    return AsyncRetry(predicate=predicate, initial=0.02, maximum=0.5, multiplier=2, timeout=within.total_seconds())


async def read_with_retry(read: Callable[[], Awaitable[_Result]]) -> _Result:
    """Read for a scheduled run, with retries for up to ``READ_WITHIN``.

    Raises:
        StoreUnavailable: Firestore did not answer any of the attempts.
    """
    message = "Firestore did not answer in time, also after retries; earlier work of the run stays done"
    return await retry_until(read, StoreUnavailable, within=READ_WITHIN, otherwise=message)


async def retry_until(
    attempt: Callable[[], Awaitable[_Result]], *kinds: type[Exception], within: timedelta, otherwise: str
) -> _Result:
    """Repeat an attempt as ``retrying`` does. ``otherwise`` is the message of the error when it fails until the end.

    Raises:
        StoreUnavailable: the time is up.
    """
    try:
        result: _Result = await retrying(*kinds, within=within)(attempt)()
    except RetryError as error:
        raise StoreUnavailable(otherwise) from error
    return result
