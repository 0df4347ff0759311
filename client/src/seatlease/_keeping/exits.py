"""Exits: seats are given back when a program ends, with little delay.

``atexit`` does it at a normal exit and after an uncaught exception (SIGINT raises one). SIGTERM by default ends a
process at once. We handle it only if its handler is the default one, only in the main thread, and only while a seat is
held. After the seats are given back, the signal ends the program. A handler that the program installs, before or after,
stays in place, and ours does nothing.
"""

import atexit
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from types import FrameType

logger = logging.getLogger("seatlease")

EXIT_WITHIN_SECONDS = 2.0
"""The longest time to give all seats back. A seat not given back by then becomes free when its lease runs out."""

Release = Callable[[], "Future[None] | None"]
"""Begins to give a seat back without waiting. It may run in a signal handler, so it takes no lock of ours."""

_open: dict[int, Release] = {}
_is_watching = False


def watch(seat: object, release: Release, *, sigterm: bool) -> None:
    global _is_watching  # noqa: PLW0603 atexit knows no "only once"
    _open[id(seat)] = release
    if not _is_watching:
        atexit.register(_release_all)
        _is_watching = True
    if sigterm and threading.current_thread() is threading.main_thread():
        # Not in the main interpreter, or no such signal here: then it stays as it is.
        with contextlib.suppress(ValueError):
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, _on_sigterm)


def forget(seat: object) -> None:
    """Stop watching this seat. After the last one, restore the handler of SIGTERM."""
    _open.pop(id(seat), None)
    if not _open and threading.current_thread() is threading.main_thread():
        with contextlib.suppress(ValueError):
            if signal.getsignal(signal.SIGTERM) is _on_sigterm:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _on_sigterm(number: int, _: FrameType | None) -> None:
    try:
        _release_all()
    finally:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


def _release_all() -> None:
    try:
        begun = [release() for release in list(_open.values())]
        wait([future for future in begun if future is not None], timeout=EXIT_WITHIN_SECONDS)
    except Exception:  # the program is ending, and nothing of ours may be the last it says but a log line
        logger.exception("seats could not be given back at exit")


def _child_has_none() -> None:
    _open.clear()


if hasattr(os, "register_at_fork"):
    # The seats are the parent's. A child that goes on using one is watched anew.
    os.register_at_fork(after_in_child=_child_has_none)
