"""First answer: a request is sent again for some seconds while the platform starts, or after a broken connection.

The platform answers 429 or 503 while it starts an instance, and one lost packet resets a connection. Nobody should see
that as an outage. Where nothing answers at all, such as without a network, the error comes at once.
"""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import anyio

from seatlease._service.clock import elapsed
from seatlease.errors import SeatleaseError, ServiceUnreachable

WITHIN_SECONDS = 10.0
"""The last try begins before this time is over."""

_FIRST_PAUSE_SECONDS = 1.0

_T = TypeVar("_T")


def pause_before_next(error: SeatleaseError, *, tries: int, left: float) -> float | None:
    """Say how many seconds to wait before the next of several tries; ``None`` if there is to be none.

    It is never sooner than the service asks. ``left`` is how many seconds are left for a next try.
    """
    if not isinstance(error, ServiceUnreachable) or not error.is_passing:
        return None
    longest = _FIRST_PAUSE_SECONDS * 2.0 ** (tries - 1)
    pause = random.uniform(longest / 2, longest)  # noqa: S311 spreading load, no secret
    pause = max(pause, (error.retry_after or timedelta()).total_seconds())
    return pause if pause < left else None


async def first_answer(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Ask until there is an answer, or an error that does not pass, or for ``WITHIN_SECONDS``.

    Raises:
        SeatleaseError: the last one of ``ask``.
    """
    give_up_at, tries = elapsed() + WITHIN_SECONDS, 0
    while True:
        tries += 1
        try:
            return await ask()
        except ServiceUnreachable as error:
            pause = pause_before_next(error, tries=tries, left=give_up_at - elapsed())
            if pause is None:
                raise
        await anyio.sleep(pause)
