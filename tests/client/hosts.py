"""Programs with a seat, as processes of their own."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "programs"
PYTHON = os.environ.get("SEATLEASE_HOST_PYTHON", sys.executable)
"""What the programs run on: another Python that has what the client needs, to try that one."""

CLIENT = Path(__file__).parents[2] / "client" / "src"


class Host:
    """One process, what it says, and what it is told."""

    def __init__(self, described: Mapping[str, object], **environment: str) -> None:
        self.popen = subprocess.Popen(
            [PYTHON, str(PROGRAMS / "host.py"), json.dumps(dict(described))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(CLIENT), "PYTHONWARNINGS": "ignore", **environment},
        )
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._lines.put(json.loads(line))

    def _read_errors(self) -> None:
        assert self.popen.stderr is not None
        self.errors.extend(self.popen.stderr)

    def said(self, *, within: float = 20, **wanted: object) -> dict[str, Any]:
        """Wait until it says this, and give all that it said with it."""
        deadline = time.monotonic() + within
        seen = []
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            seen.append(line)
            if all(line.get(name) == value for name, value in wanted.items()):
                return line
        message = f"waited for {wanted}, heard {seen}, ended: {self.popen.poll()}, {''.join(self.errors)}"
        raise AssertionError(message)

    def holds(self) -> "Host":
        """Wait until it has its seat."""
        self.said(did="acquire", state="active")
        return self

    def obeys(self, order: str) -> dict[str, Any]:
        self.tell(order)
        return self.said(did=order)

    def tell(self, order: str) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(order + "\n")
        self.popen.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def ends(self, *, within: float = 15) -> int:
        """Wait for its end, and give its exit status."""
        status = self.popen.wait(within)
        for reader in self._readers:
            reader.join(5)
        return status

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            assert stream is not None
            stream.close()
