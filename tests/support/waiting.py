"""Wait for a condition that another process fulfils."""

import asyncio
import time
from collections.abc import Callable

_LOOKS_EVERY_SECONDS = 0.05


async def until(condition: Callable[[], bool], *, within: float) -> None:
    """Wait until the condition holds; fail when it does not ``within`` so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"still not after {within} s"
        await asyncio.sleep(_LOOKS_EVERY_SECONDS)


def wait_until(condition: Callable[[], bool], *, within: float = 15) -> None:
    """Do the same where there is no event loop."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(_LOOKS_EVERY_SECONDS)
