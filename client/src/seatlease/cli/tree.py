"""The tree of a running program: the program and all processes below it.

Much software is a script that starts the real program. If only the script is told to end, the program goes on.
A process that made itself a daemon has left the tree and is not found.
"""

import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta

import psutil

from seatlease._service.clock import elapsed

_LOOK_AGAIN_SECONDS = 0.05


class Tree:
    def __init__(self, pid: int) -> None:
        """Take the process of this id, which runs or has only just ended."""
        self._members: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            self._members.append(psutil.Process(pid))

    def end(self, *, within: timedelta) -> bool:
        """Send SIGTERM to all of it, and say whether all ended within this time."""
        self._look()
        self._send(psutil.Process.terminate)
        give_up_at = elapsed() + within.total_seconds()
        while self._runs():
            if elapsed() >= give_up_at:
                return False
            threading.Event().wait(_LOOK_AGAIN_SECONDS)
        return True

    def kill(self) -> None:
        """Kill all of it, also what it has started since."""
        self._look()
        self._send(psutil.Process.kill)

    def _look(self) -> None:
        found = dict.fromkeys(self._members)
        for member in self._members:
            with contextlib.suppress(psutil.Error):  # it has just ended
                found.update(dict.fromkeys(member.children(recursive=True)))
        self._members = list(found)

    def _send(self, send: Callable[[psutil.Process], None]) -> None:
        for member in self._members:
            with contextlib.suppress(psutil.Error):  # it has just ended, or is another user's
                send(member)

    def _runs(self) -> bool:
        return any(_runs(member) for member in self._members)


def _runs(member: psutil.Process) -> bool:
    try:
        return member.is_running() and member.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
