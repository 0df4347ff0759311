"""Trying again: what somebody faster made undone, or what a store that is away for a moment did not answer."""

from datetime import timedelta

from google.api_core.retry_async import AsyncRetry, if_exception_type

from shared.store.errors import StoreError


def patiently(*kinds: type[Exception], within: timedelta | None) -> AsyncRetry:
    """Repeat an attempt that fails with one of these, until it took ``within`` altogether.

    Pauses have full jitter, so that instances which collided once do not collide again in step.
    """
    timeout = None if within is None else within.total_seconds()
    predicate = if_exception_type(*(kinds or (StoreError,)))
    return AsyncRetry(predicate=predicate, initial=0.02, maximum=0.5, multiplier=2, timeout=timeout)
