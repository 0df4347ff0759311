"""Engine: the one background thread of a process, in which everything runs that waits for the network.

It is a daemon thread with an event loop. It never delays the program's exit, and the exit cancels its requests at once.
A program that is busy, or blocks its own event loop, does not stop the heartbeats. Native code that keeps the
interpreter's lock does.
"""

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

logger = logging.getLogger("seatlease")

_T = TypeVar("_T")


class DaemonThreads(ThreadPoolExecutor):
    """Runs blocking calls, such as a name lookup, on threads that never delay the program's exit.

    The standard library's executor joins its threads at exit, and a lookup can hang for half a minute. Two threads are
    ready from the start: Python 3.12 starts none after the exit has begun, and giving a seat back needs them then.
    """

    def __init__(self, *, ready: int = 2) -> None:
        super().__init__(max_workers=1)  # of the parent's own threads none is ever started
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        for _ in range(ready):
            self._start()

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> "Future[_T]":  # noqa: ANN401 the parent's signature
        """Run it on an idle thread, or on a new one."""
        future: Future[_T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 it is the waiter's, whatever it is
                future.set_exception(error)
            else:
                future.set_result(result)

        if not self._idle.acquire(blocking=False):
            try:
                self._start()
            except RuntimeError:  # no more threads, or the exit has begun: it waits until one is idle
                logger.debug("no thread could be started")
            else:
                self._idle.acquire()
        self._jobs.put(job)
        return future

    def _start(self) -> None:
        threading.Thread(target=self._work, name="seatlease-blocking", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._idle.release()
            self._jobs.get()()


class Engine:
    """The thread, its loop, and one more thread for the program's callbacks."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(DaemonThreads())
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        threading.Thread(target=self._loop.run_forever, name="seatlease", daemon=True).start()
        threading.Thread(target=self._call_back, name="seatlease-callbacks", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, _T]) -> "Future[_T]":
        """Run it on the engine's loop. Cancelling the future cancels the work."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call_back(self, call: Callable[[], object]) -> None:
        """Call the program back, in order, on a thread that may block without harm to a seat."""
        self._calls.put(call)

    def _call_back(self) -> None:
        while True:
            call = self._calls.get()
            try:
                call()
            except Exception:  # the program's own, and nobody is there to catch it
                logger.exception("a callback of the program failed")


_starting = threading.Lock()
_engines: list[Engine] = []
"""At most one of this process. Those of a parent stay, untouched: removing them would close its connections."""


def running_engine() -> Engine | None:
    """Give this process's engine, if it has one. It takes no lock, because a signal may come while one is held."""
    newest = _engines[-1] if _engines else None
    return newest if newest is not None and newest.pid == os.getpid() else None


def engine() -> Engine:
    """Give this process's engine. The first call starts it, also in a forked child, which has no threads."""
    running = running_engine()
    if running is None:
        with _starting:
            running = running_engine()  # another thread was faster
            if running is None:
                running = Engine()
                _engines.append(running)
    return running


def _forget_who_was_starting() -> None:
    global _starting  # noqa: PLW0603 a thread that held it in the parent does not exist in the child
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_who_was_starting)
