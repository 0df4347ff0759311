"""Ctrl-C and SIGTERM: stop everything that was started, in order."""

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Self, TypeVar

import uvloop

_Result = TypeVar("_Result")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ToldToStop(BaseException):
    """SIGTERM or Ctrl-C: leave every block in order."""


class Runner:
    """Runs coroutines one after the other on one event loop. Use it as a context, in the main thread."""

    def __init__(self) -> None:
        """Listen to the signals from now on."""
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._task: asyncio.Task[object] | None = None
        for number in _SIGNALS:
            signal.signal(number, self._told)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the event loop."""
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine to its end.

        Raises:
            ToldToStop: a signal came; the coroutine was cancelled and has ended.
        """

        async def known() -> _Result:
            self._task = asyncio.current_task()
            try:
                return await coroutine
            finally:
                self._task = None

        try:
            return self._runner.run(known())
        except asyncio.CancelledError:
            raise ToldToStop from None

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        # Once is enough: a second signal must not cut the stopping short.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if self._task is None:
            raise ToldToStop
        # Raised here it would come up in the middle of whatever the event loop is doing.
        self._task.cancel()
        self._task.get_loop().call_soon_threadsafe(lambda: None)
