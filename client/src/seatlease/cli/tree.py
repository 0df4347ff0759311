"""The tree of a running program: the program, what it has started, and what that has started in turn.

Much software is a script that starts the program itself: told to end alone, the script ends and the program goes on.
What has made itself a daemon has left the tree, and is not found.
"""

import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta

import psutil

from seatlease.clock import elapsed

_LOOK_AGAIN_SECONDS = 0.05


class Tree:
    """Told to end, and killed, as a whole."""

    def __init__(self, pid: int) -> None:
        """Note the program of this process id, which runs or has only just ended."""
        self._members: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            self._members.append(psutil.Process(pid))

    def end(self, *, within: timedelta) -> bool:
        """Tell all of it to end (SIGTERM), and say whether it did within so much time."""
        self._look()
        self._send(psutil.Process.terminate)
        give_up_at = elapsed() + within.total_seconds()
        while self._runs():
            if elapsed() >= give_up_at:
                return False
            threading.Event().wait(_LOOK_AGAIN_SECONDS)
        return True

    def kill(self) -> None:
        """Kill all of it, also what it started meanwhile."""
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
