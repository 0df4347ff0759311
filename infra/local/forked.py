"""Functions that a fork server starts, each in a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO, Any, cast

_SCRIPT = Path(__file__).with_name("fork_server.py")
_PAUSE_SECONDS = 0.02


class ForkServer:
    """The running program ``fork_server.py``."""

    def __init__(self, questions: IO[str], answers: IO[str]) -> None:
        self._questions = questions
        self._answers = answers
        self._lock = Lock()

    def start(
        self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path
    ) -> "ForkedProcess":
        """Serve a function with these arguments of the console script, from its staged folder."""
        asked = {
            "arguments": list(arguments), "folder": str(folder), "environment": dict(environment), "log": str(log),
        }  # fmt: skip
        return ForkedProcess(pid=self.ask(asked), server=self)

    def ask(self, question: Mapping[str, Any]) -> Any:  # noqa: ANN401 what JSON holds
        """Ask for a fork, or for the state of one."""
        with self._lock:
            self._questions.write(f"{json.dumps(question)}\n")
            self._questions.flush()
            return json.loads(self._answers.readline())


@contextmanager
def fork_server() -> Iterator[ForkServer]:
    """Run a fork server. When it stops, all that it has started ends."""
    # -P: its own folder is not on the path.
    command = [sys.executable, "-P", str(_SCRIPT)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as popen:
        yield ForkServer(cast("IO[str]", popen.stdin), cast("IO[str]", popen.stdout))


@dataclass(frozen=True, kw_only=True, slots=True)
class ForkedProcess:
    """One function's process. It answers as ``subprocess.Popen`` does."""

    pid: int
    server: ForkServer

    def poll(self) -> int | None:
        """Give the exit status, and ``None`` while it runs."""
        status: int | None = self.server.ask({"pid": self.pid})
        return status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and give the exit status.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if timeout is not None and deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(_PAUSE_SECONDS)
        return status
