"""A program that starts: the cost of its import, and the time to its first answer."""

import http.client
import resource
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.local.processes import START_WITHIN_SECONDS, StartError
from tests.infra.bare_server import BareServer, bare_server

_POLL_SECONDS = 0.005


@dataclass(frozen=True, kw_only=True, slots=True)
class Startable:
    """A folder, what is imported in it, and the programs of its environment."""

    name: str
    folder: Path
    imports: str
    programs: Path

    def import_cpu_seconds(self, settings: Mapping[str, str]) -> float:
        """Import it in a process of its own.

        Raises:
            StartError: it cannot be imported.
        """
        before = _cpu_of_children()
        done = subprocess.run(
            [str(self.programs / "python"), "-c", f"import {self.imports}"],
            cwd=self.folder,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"importing {self.name} failed: {done.stderr}"
            raise StartError(message)
        return _cpu_of_children() - before

    def first_answer_seconds(self, settings: Mapping[str, str]) -> float:
        """Serve it until it answers, whatever it is asked.

        Raises:
            StartError: it ended, or did not answer, or not in order.
        """
        began = time.perf_counter()
        with bare_server(self.name, self.folder, settings, programs=self.programs) as server:
            status = _first_status(server)
            took = time.perf_counter() - began
            if status is None or status >= http.client.INTERNAL_SERVER_ERROR:
                message = f"the first answer of {self.name} has the status {status}: {server.output}"
                raise StartError(message)
        return took


def _first_status(server: BareServer) -> int | None:
    """The status of the first answer; ``None`` when it ends, or does not answer in time."""
    deadline = time.monotonic() + START_WITHIN_SECONDS
    address = server.url.removeprefix("http://")
    while time.monotonic() < deadline and server.popen.poll() is None:
        with suppress(ConnectionError, TimeoutError):
            connection = http.client.HTTPConnection(address, timeout=START_WITHIN_SECONDS)
            try:
                connection.request("GET", "/")
                return connection.getresponse().status
            finally:
                connection.close()
        time.sleep(_POLL_SECONDS)
    return None


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
