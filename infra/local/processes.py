"""Processes: started in the order they are needed, stopped in reverse, exactly those that were started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from infra.local.loopback import NO_TLS

START_WITHIN_SECONDS = 120
"""Who ends is seen to have ended at once, so this only bounds a standstill: a dozen programs may start at a time."""
STOP_WITHIN_SECONDS = 15


class StartError(Exception):
    """A program did not start. The message ends with the last lines that it printed."""


def free_port() -> int:
    """Find a port on the loopback interface that nobody listens on.

    On Linux nobody who asks for any free port is given it as long as this process runs, not even by another process:
    what it was found for may start late, end and start again, or never be there. Elsewhere it is only free now.
    """
    with socket.socket() as finder:
        # As servers do: on Linux they may listen beside a socket of this kind that does not listen itself.
        finder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        finder.bind(("127.0.0.1", 0))
        port = int(finder.getsockname()[1])
        if sys.platform == "linux":
            finder.detach()  # stays bound until this process ends
        return port


def require_free(port: int) -> None:
    """Refuse a port that somebody listens on: what answers there would be taken for the program started on it.

    Raises:
        StartError: the port is taken. Nothing was started.
    """
    with socket.socket() as listener:
        # As servers do: connections that a former listener closed a moment ago do not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            message = f"cannot listen on port {port}: {error.strerror}; choose another with --port, or leave it out"
            raise StartError(message) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A running program, its output in a file, and the address where it answers HTTP."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    url: str

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        log_folder: Path,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a program that will answer HTTP on the port; does not wait for it.

        It gets a process group of its own: Ctrl-C reaches the one who started it, who then stops it in order.
        """
        log_folder.mkdir(parents=True, exist_ok=True)
        log = log_folder / f"{name}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name=name, popen=popen, log=log, url=f"http://127.0.0.1:{port}")

    def wait_until_ready(self) -> None:
        """Wait until it answers HTTP, whatever it answers.

        Raises:
            StartError: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + START_WITHIN_SECONDS
        with httpx.Client(verify=NO_TLS, timeout=1) as http:
            while time.monotonic() < deadline:
                if self.popen.poll() is not None:
                    break
                with contextlib.suppress(httpx.TransportError):
                    http.get(self.url)
                    return
                time.sleep(0.05)
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        state = "did not answer in time" if self.popen.poll() is None else f"ended with {self.popen.returncode}"
        message = "\n".join([f"{self.name} {state}:", *lines])
        raise StartError(message)

    def stop(self) -> int:
        """Ask it to stop, insist after a while, and return its exit status."""
        if self.popen.poll() is None:
            self.signal(signal.SIGTERM)
            # A program that was paused has to go on to hear it.
            self.signal(signal.SIGCONT)
            try:
                self.popen.wait(STOP_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
        return self.popen.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and to what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)


def stop_together(processes: Sequence[Process]) -> None:
    """Ask all of them to stop, then wait for each."""
    for process in processes:
        process.signal(signal.SIGTERM)
    for process in processes:
        process.stop()
