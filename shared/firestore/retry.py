"""Trying again: what somebody faster made undone, or what a store that is away for a moment did not answer."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from google.api_core.exceptions import RetryError
from google.api_core.retry_async import AsyncRetry, if_exception_type

from shared.firestore.errors import StoreError, StoreUnavailable

READ_WITHIN = timedelta(seconds=12)
"""How long a run goes on asking for what it has to read: one slow answer must not end a run that may take a minute."""

_Result = TypeVar("_Result")


def retrying(*kinds: type[Exception], within: timedelta) -> AsyncRetry:
    """Repeat an attempt that fails with one of these, until it took ``within`` altogether.

    Pauses have full jitter, so that instances which collided once do not collide again in step.
    """
    predicate = if_exception_type(*(kinds or (StoreError,)))
    return AsyncRetry(predicate=predicate, initial=0.02, maximum=0.5, multiplier=2, timeout=within.total_seconds())


async def read_with_retry(read: Callable[[], Awaitable[_Result]]) -> _Result:
    """Read for a run that nobody waits for.

    Raises:
        StoreUnavailable: no answer, however often it was asked.
    """
    message = "Firestore did not answer, however often it was asked; what was done until then is done"
    return await retry_until(read, StoreUnavailable, within=READ_WITHIN, otherwise=message)


async def retry_until(
    attempt: Callable[[], Awaitable[_Result]], *kinds: type[Exception], within: timedelta, otherwise: str
) -> _Result:
    """Repeat an attempt as ``retrying`` does, and say ``otherwise`` when it did not succeed in time.

    Raises:
        StoreUnavailable: the time is up.
    """
    try:
        result: _Result = await retrying(*kinds, within=within)(attempt)()
    except RetryError as error:
        raise StoreUnavailable(otherwise) from error
    return result
