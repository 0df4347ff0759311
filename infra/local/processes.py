"""Start programs, wait until they answer, and stop exactly those that were started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import httpx

from infra.local.loopback import NO_TLS

START_WITHIN_SECONDS = 120
"""For a program that hangs. A program that ends is noticed at once. A dozen programs may start at a time."""
STOP_WITHIN_SECONDS = 15


class StartError(Exception):
    """A program did not start, or does not answer. The message says what to do or ends with the program's output."""


def free_port() -> int:
    """Find a port on the loopback interface that no program listens on.

    On Linux the port stays reserved while this process runs: the system gives it to no process that asks for any free
    port. So the program for it may start late, or stop and start again. Elsewhere the port is only free now.
    """
    with socket.socket() as finder:
        # The option that servers set too. On Linux a server may then listen although this socket is bound.
        finder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        finder.bind(("127.0.0.1", 0))
        port = int(finder.getsockname()[1])
        if sys.platform == "linux":
            finder.detach()  # stays bound until this process ends
        return port


def require_free(port: int) -> None:
    """Refuse a port in use: the program that answers there would be mistaken for the one started on it.

    Raises:
        StartError: the port is taken. Nothing was started.
    """
    with socket.socket() as listener:
        # The option that servers set too. Recently closed connections then do not count as in use.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            message = (
                f"cannot listen on port {port}: {error.strerror}. Choose another: make serve PORT=..., or --port ..."
            )
            raise StartError(message) from error


class Started(Protocol):
    """What tells of a process: ``subprocess.Popen``, or a function that a fork server has started."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A running program that answers HTTP, with its output in a file."""

    name: str
    popen: Started
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
        inherited: Collection[str] | None = None,
    ) -> Self:
        """Start a program that answers HTTP on the port, without waiting for it.

        Of this process's environment it gets the variables in ``inherited``, or all of them.
        The program gets a process group of its own, so Ctrl-C reaches only this process, which stops it in order.
        """
        log_folder.mkdir(parents=True, exist_ok=True)
        log = log_folder / f"{name}.log"
        ours = {key: value for key, value in os.environ.items() if inherited is None or key in inherited}
        with log.open("wb") as output:
            popen = subprocess.Popen(
                command,
                cwd=cwd,
                env={**ours, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name=name, popen=popen, log=log, url=f"http://127.0.0.1:{port}")

    def wait_until_ready(self) -> None:
        """Wait until the program answers HTTP with any status.

        Raises:
            StartError: the program ended, or did not answer in time.
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
        state = "did not answer in time" if (status := self.popen.poll()) is None else f"ended with {status}"
        message = "\n".join([f"{self.name} {state}:", *lines])
        raise StartError(message)

    def stop(self) -> int:
        """Send SIGTERM, after a while SIGKILL, and return the exit status."""
        if self.popen.poll() is None:
            self.signal(signal.SIGTERM)
            # A paused program has to continue to get the signal.
            self.signal(signal.SIGCONT)
            try:
                self.popen.wait(STOP_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
        return self.popen.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and to its child processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)


def stop_together(processes: Sequence[Process]) -> None:
    """Signal all of them first, then wait for each."""
    for process in processes:
        process.signal(signal.SIGTERM)
    for process in processes:
        process.stop()
