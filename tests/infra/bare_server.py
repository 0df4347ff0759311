"""A function as the platform starts it: the bare console script, in a staged folder, with its own settings only."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.local.loopback import NO_TLS
from infra.local.processes import free_port

PROGRAMS = Path(sys.executable).parent
SETTINGS = {"SEATLEASE_ENVIRONMENT": "development", "GOOGLE_CLOUD_PROJECT": "demo-seatlease"}
START_WITHIN_SECONDS = 40


@dataclass(frozen=True, kw_only=True)
class BareServer:
    """One started function."""

    popen: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def output(self) -> str:
        """Everything that it printed."""
        return self.log.read_text()

    def wait_until_it_answers_or_ends(self) -> bool:
        """Wait for the one or the other; true when it answers."""
        deadline = time.monotonic() + START_WITHIN_SECONDS
        with httpx.Client(verify=NO_TLS, timeout=5) as http:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    http.get(self.url)
                    return True
                if self.popen.poll() is not None:
                    return False
                time.sleep(0.05)
        raise TimeoutError(self.output)


@contextlib.contextmanager
def bare_server(
    name: str, folder: Path, settings: Mapping[str, str] = SETTINGS, *, programs: Path = PROGRAMS
) -> Iterator[BareServer]:
    """Start the function staged in the folder, and stop it and its workers in the end.

    ``programs`` is the folder of the console scripts of the environment that it runs in.
    """
    port = free_port()
    log = folder.parent / f"{name}.log"
    # Nothing of this process's environment but where programs are: no PYTHONPATH, no emulator.
    environment = {"PATH": os.environ["PATH"], **settings}
    command = [str(programs / "functions-framework"), "--target", name, "--host", "127.0.0.1", "--port", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        ) as popen,
    ):
        try:
            yield BareServer(popen=popen, url=f"http://127.0.0.1:{port}", log=log)
        finally:
            _stop(popen)


def _stop(popen: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        # The group, for its workers; it is gone when all of them are.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            popen.wait(10)
