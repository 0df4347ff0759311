"""``python -m infra.local serve`` as a program of its own, and the processes that it starts."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from google.cloud import firestore

from infra.build.stage import ROOT
from infra.local.processes import START_WITHIN_SECONDS, free_port
from infra.local.seed import firestore_client

_MARK = "SEATLEASE_TEST_MARK"
_SECONDS = START_WITHIN_SECONDS + 30
"""A whole stack is a dozen programs that start at once, and others may be at work on the machine."""


def until(condition: Callable[[], bool], *, what: str) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            message = f"waited {_SECONDS} s in vain: {what}"
            raise TimeoutError(message)
        time.sleep(0.05)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A stack that was told to serve."""

    popen: subprocess.Popen[bytes]
    port: int
    state_folder: Path
    log: Path
    mark: str
    work: Path

    @property
    def state_file(self) -> Path:
        """The file that belongs to this stack, whatever else runs."""
        return self.state_folder / f"stack-{self.port}.json"

    @property
    def state(self) -> dict[str, Any]:
        """What the stack says of itself."""
        return dict(json.loads(self.state_file.read_text()))

    @property
    def output(self) -> str:
        """Everything that it printed."""
        return self.log.read_text()

    def wait_until_ready(self) -> None:
        """Wait until it has published where it answers."""
        until(lambda: self.state_file.exists() or self.popen.poll() is not None, what="the stack's start")
        assert self.popen.poll() is None, self.output

    def family(self, *, argument: str | None = None) -> list[int]:
        """The running processes that it started, itself included, at any depth: they inherit its mark (Linux only).

        ``argument`` picks those that were started with it.
        """
        mark = f"{_MARK}={self.mark}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            # Processes end while we look, and others belong to other users.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                arguments = (folder / "cmdline").read_bytes().split(b"\0")
                if mark in (folder / "environ").read_bytes().split(b"\0") and (
                    argument is None or argument.encode() in arguments
                ):
                    found.append(int(folder.name))
        return found

    def addresses(self) -> list[tuple[str, int]]:
        """Every address that it answers at."""
        state = self.state
        urls = [state["base_url"], *state["functions"].values()]
        hosts = [url.removeprefix("http://") for url in urls]
        hosts += [state["firestore_emulator_host"], state["pubsub_emulator_host"]]
        return [(host, int(port)) for host, _, port in (host.partition(":") for host in hosts if host is not None)]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop, and return its exit status."""
        self._keep_the_logs()
        self.popen.send_signal(number)
        return self.popen.wait(_SECONDS)

    def _keep_the_logs(self) -> None:
        """Copy what its processes have printed, which it throws away: tests/conftest.py looks through it in the end."""
        for log in self.work.glob("seatlease-*/logs/*.log"):
            shutil.copy(log, self.work)

    @contextlib.contextmanager
    def console(self) -> Iterator[firestore.Client]:
        """The admin's hand on the stack's database."""
        state = self.state
        client = firestore_client(project=state["project"], firestore_host=state["firestore_emulator_host"])
        yield client
        client.close()


def infra_local(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the other commands to its end."""
    command = [sys.executable, "-m", "infra.local", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_SECONDS)


def is_open(address: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as client:
        client.settimeout(5)
        return client.connect_ex(address) == 0


@contextlib.contextmanager
def told_to_serve(folder: Path, *options: str, port: int | None = None) -> Iterator[Served]:
    """Start ``serve``, with its state below the folder, and stop it in the end if it still runs. Does not wait."""
    port = port or free_port()
    mark = uuid4().hex
    log = folder / f"serve-{port}.log"
    state_folder, work = folder / "state", folder / f"work-{port}"
    work.mkdir()
    command = [
        sys.executable,
        "-m",
        "infra.local",
        "serve",
        f"--port={port}",
        f"--state-folder={state_folder}",
        *options,
    ]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, _MARK: mark, "TMPDIR": str(work)},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as popen,
    ):
        served = Served(popen=popen, port=port, state_folder=state_folder, log=log, mark=mark, work=work)
        try:
            yield served
        finally:
            if popen.poll() is None:
                served.stop()
            left = served.family()
            # What a broken stop left must not outlive its test.
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert left == [], served.output
