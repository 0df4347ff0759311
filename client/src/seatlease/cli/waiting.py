"""Shows the waiting for a seat: a line that counts down on a terminal, else a line at most once a minute."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.text import Text

from seatlease._service.clock import elapsed
from seatlease.cli.saying import PREFIX, errors, in_words, say_now
from seatlease.errors import DeviceLimitReached, InLine, InstanceLimitReached, NoSeatFree
from seatlease.events import Waiting

_SAY_AGAIN_AFTER_SECONDS = 60.0
_WIDE_ENOUGH_FOR_THE_PREFIX = 60


@contextmanager
def shown_waiting() -> Iterator[Callable[[Waiting], None]]:
    if not errors.is_terminal:
        yield _Lines().tell
        return
    line = _Line()
    status = errors.status(line)
    drawing, is_over = threading.Lock(), threading.Event()

    def tell(waiting: Waiting) -> None:
        with drawing:
            if not is_over.is_set():  # told on another thread, perhaps too late: then the terminal is the program's
                line.tell(waiting)
                status.start()

    try:
        yield tell
    finally:
        is_over.set()
        with drawing:
            status.stop()


class _Line:
    def __init__(self) -> None:
        self._told: Waiting | None = None
        self._told_at = 0.0

    def tell(self, waiting: Waiting) -> None:
        self._told, self._told_at = waiting, elapsed()

    def __rich__(self) -> Text:
        if self._told is None:
            return Text(f"{PREFIX}asking for a seat")
        prefix = PREFIX if errors.width >= _WIDE_ENOUGH_FOR_THE_PREFIX else ""
        since = timedelta(seconds=elapsed() - self._told_at)
        return Text(prefix + _sentence(self._told, since=since), no_wrap=True, overflow="ellipsis")


class _Lines:
    """A line at the beginning, then at most once a minute."""

    def __init__(self) -> None:
        self._say_at = 0.0

    def tell(self, waiting: Waiting) -> None:
        if elapsed() >= self._say_at:
            self._say_at = elapsed() + _SAY_AGAIN_AFTER_SECONDS
            say_now(_sentence(waiting, since=timedelta()))


def _sentence(waiting: Waiting, *, since: timedelta) -> str:
    """Say it in 78 columns, the most important first: a narrow terminal cuts the end off."""
    error = waiting.error
    if isinstance(error, InLine):
        why = f"position {error.position} of {error.of}"
    elif isinstance(error, InstanceLimitReached):
        why = f"{error.in_use} of {error.max_seats} programs share your seat"
    elif isinstance(error, DeviceLimitReached):
        why = f"{error.in_use} of {error.max_seats} of your devices hold seats"
    elif isinstance(error, NoSeatFree):
        why = f"{error.in_use} of {error.max_seats} seats in use"
    else:
        why = "service does not answer"
    next_try, left = in_words(waiting.next_try_in - since), in_words(waiting.give_up_in - since)
    return f"waiting, {why}, {left} left, next try in {next_try}"
