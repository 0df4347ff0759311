"""The program that runs with a seat: its file, its start and its end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence

import typer

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
