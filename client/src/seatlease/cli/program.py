"""The program that ``seatlease run`` starts: its tree of processes, and the signals that it gets."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import FrameType

import psutil
import typer

from seatlease._service.clock import elapsed
from seatlease.cli import exit_status
from seatlease.cli.saying import say


def find(name: str) -> str:
    """Find the program as a shell does, before a seat is taken for it.

    Raises:
        typer.Exit: there is none, or it cannot be run.
    """
    if (path := shutil.which(name)) is not None:
        return path
    if shutil.which(name, mode=os.F_OK) is not None:
        say(f"{name}: may not be executed")
        raise typer.Exit(exit_status.CANNOT_RUN)
    say(f"{name}: not found")
    raise typer.Exit(exit_status.NOT_FOUND)


def start(path: str, words: Sequence[str], *, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start it with our standard streams and all other files that were opened for it.

    Raises:
        typer.Exit: the operating system cannot run it.
    """
    try:
        # It is what the caller wants run; without a shell. Files that we opened ourselves are not passed on anyway.
        return subprocess.Popen(list(words), executable=path, env=dict(environment), close_fds=False)  # noqa: S603
    except OSError as error:
        say(f"{words[0]}: cannot be run: {error.strerror}")
        raise typer.Exit(exit_status.CANNOT_RUN) from None


def wait(program: "subprocess.Popen[bytes]") -> int:
    """Wait for its end, in the main thread, and handle each signal that comes meanwhile.

    ``Popen.wait`` does so only for what interrupts it: not for a signal that came just before, or that another thread
    took. Python's wake-up descriptor tells of every signal.
    """
    reading, writing = socket.socketpair()
    threading.Thread(target=_reap_orphans, args=(program.pid,), name="seatlease-orphans", daemon=True).start()
    with reading, writing:
        writing.settimeout(0)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        waiting = threading.Thread(target=_tell_of_its_end, args=(program, writing), name="seatlease-end", daemon=True)
        waiting.start()
        while program.poll() is None:
            reading.recv(1024)
        signal.set_wakeup_fd(before)
        waiting.join()
    return program.returncode


def _tell_of_its_end(program: "subprocess.Popen[bytes]", telling: socket.socket) -> None:
    program.wait()
    with contextlib.suppress(BlockingIOError):  # there is much to read already
        telling.send(b"\0")


def _reap_orphans(program: int) -> None:
    """Wait for processes that the program left behind, until it ends.

    They become ours if we are process number 1 of a container. Nobody else waits for them then, and the table of
    processes would fill up with them.
    """
    if not hasattr(os, "waitid"):
        return
    with contextlib.suppress(ChildProcessError):  # there are none, and the program has ended too
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)) is not None and ended.si_pid != program:
            os.waitpid(ended.si_pid, 0)


_TOLD = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH")
_FROM_A_TERMINAL = ("SIGINT", "SIGQUIT", "SIGHUP", "SIGWINCH")


class Interrupted(BaseException):
    """A signal came before the program was started."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """Listens to signals, except those that our caller ignores, such as SIGHUP under ``nohup``."""

    def __init__(self) -> None:
        """Listen, in the main thread."""
        self._program: subprocess.Popen[bytes] | None = None
        self._is_held = False
        self._came_meanwhile: list[int] = []
        for name in _TOLD:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def hold(self) -> None:
        """Keep signals from now on for the program that is about to be started."""
        self._is_held = True

    def pass_on_to(self, program: "subprocess.Popen[bytes]") -> None:
        """Pass on the signals kept so far, and each new one."""
        self._program = program
        for number in self._came_meanwhile:
            program.send_signal(number)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._program is not None:
            if not (_is_from_terminal(number) and _is_in_foreground()):
                # After its end there is nobody to tell.
                with contextlib.suppress(ProcessLookupError):
                    self._program.send_signal(number)
        elif self._is_held:
            self._came_meanwhile.append(number)
        elif number != getattr(signal, "SIGWINCH", None):
            self._is_held = True  # once is enough: giving back what was granted is not to be interrupted
            raise Interrupted(number)


def _is_from_terminal(number: int) -> bool:
    return number in {getattr(signal, name, None) for name in _FROM_A_TERMINAL}


def _is_in_foreground() -> bool:
    """Whether a terminal sends its signals to our process group: then the program, which is in it, has them already."""
    if os.name == "nt":
        return True  # a console tells all of its processes
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


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
