"""The programs under load: one Firestore emulator, and each function on its own server, without the gateway."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.emulators import start_firestore
from infra.local.processes import Process, free_port
from infra.local.serving import function_environment, start_function

PROJECT = "demo-seatlease-bench"
FUNCTIONS = ("acquire", "heartbeat", "release")
EXPIRE, EMPTY = "expire_sessions", "empty"

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Servers:
    """What runs: the emulator as ``firestore``, each function by its name. ``work`` has the logs and staged folders."""

    running: Mapping[str, Process]
    work: Path

    @property
    def firestore_host(self) -> str:
        """HOST:PORT of the emulator."""
        return self.url("firestore").removeprefix("http://")

    def url(self, name: str) -> str:
        """Where a program answers."""
        return self.running[name].url

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each program, which is also the id of its session."""
        return {name: process.popen.pid for name, process in self.running.items()}


_NO_PUBSUB = "127.0.0.1:1"
"""What is measured here publishes nothing; an address of nobody keeps it so."""


@contextmanager
def running_servers(*names: str) -> Iterator[Servers]:
    """Run an emulator and these functions, the product's or the empty one, and stop exactly those.

    Raises:
        JarError: the emulator's jar is not to be had.
        StartError: something did not start.
    """
    work = Path(tempfile.mkdtemp(prefix="seatlease-bench-"))
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, work, ignore_errors=True)
        running = {"firestore": start_firestore(port=free_port(), log_folder=work / "logs")}
        cleanup.callback(running["firestore"].stop)
        servers = Servers(running=running, work=work)
        environment = function_environment(project=PROJECT, firestore=servers.firestore_host, pubsub=_NO_PUBSUB)
        for name in names:
            if name == EMPTY:
                running[name] = _start_beside(name, servers, environment)
            else:
                running[name] = start_function(name, work=work, environment=environment)
            cleanup.callback(running[name].stop)
        for process in running.values():
            process.wait_until_ready()
        yield servers


@contextmanager
def with_locking(servers: Servers) -> Iterator[Servers]:
    """Run the locking function as well, for one measurement.

    Raises:
        StartError: it did not start.
    """
    environment = function_environment(project=PROJECT, firestore=servers.firestore_host, pubsub=_NO_PUBSUB)
    process = _start_beside("locking", servers, environment)
    try:
        process.wait_until_ready()
        yield Servers(running={**servers.running, "locking": process}, work=servers.work)
    finally:
        # Asked politely it would first wait for its threads, and those wait for locks.
        process.signal(signal.SIGKILL)
        process.stop()


def _start_beside(name: str, servers: Servers, environment: Mapping[str, str]) -> Process:
    """Serve a function that stands beside this module and is none of the product."""
    port = free_port()
    script = Path(sys.executable).parent / "functions-framework"
    command = [str(script), "--target", name, "--host", "127.0.0.1", "--port", str(port)]
    return Process.start(
        name, command, port=port, log_folder=servers.work / "logs", cwd=_HERE / name, environment=environment
    )
