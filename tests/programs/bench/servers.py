"""The programs under load: one Firestore emulator, and each function on its own server, without the gateway."""

import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from infra.build.stage import ROOT
from infra.local.emulators import start_firestore
from infra.local.processes import Process, free_port, stop_together
from infra.local.serving import function_environment, start_function
from tests.programs.bench.default_server import require_default_servers

PROJECT = "demo-seatlease-bench"
FUNCTIONS = ("acquire", "heartbeat", "release")
EXPIRE, EMPTY, DELAY_PROXY = "expire_sessions", "empty", "delay_proxy"

_HERE = Path(__file__).parent
_DEFAULT_SERVER = {"LOG_EXECUTION_ID": "false", "CLOUD_RUN_TIMEOUT_SECONDS": "0"}
"""An older version, which is compared with, does not see to that itself."""
_ROOMY = (
    "-XX:-UseSerialGC",
    "-XX:TieredStopAtLevel=4",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-Xms3500m",
    "-Xmx3500m",
    "-XX:+AlwaysPreTouch",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UseTransparentHugePages",
)
"""The emulator keeps what is written. A collector that stops everything for what it keeps stands still for 0.3 s and
longer; this one stops for little at a time. The heap is there from the start, in large pages where the system has them:
that saves the emulator a tenth to a third of its processor time in a virtual machine. And Java's second compiler is
let: here the emulator runs long enough.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Servers:
    """What runs: the emulator as ``firestore``, each function by its name, its further processes by name and number.

    ``work`` has the logs and staged folders. ``are_confined`` says whether each process of a function has one core,
    and ``delayed_host`` where the proxy stands for the emulator, if there is one.
    """

    running: dict[str, Process]
    work: Path
    are_confined: bool = False
    delayed_host: str = ""

    @property
    def firestore_host(self) -> str:
        """HOST:PORT of the emulator."""
        return self.url("firestore").removeprefix("http://")

    def url(self, name: str) -> str:
        """Where a program answers."""
        return self.running[name].url

    @property
    def store_host(self) -> str:
        """HOST:PORT at which functions find the store: the proxy's, where one delays."""
        return self.delayed_host or self.firestore_host

    def stop_firestore(self) -> None:
        """Stop the emulator that runs by now."""
        self.running["firestore"].stop()

    @property
    def pids(self) -> dict[str, list[int]]:
        """The ids of the processes of each program, which are also the ids of their sessions."""
        by_name: dict[str, list[int]] = {}
        for process in self.running.values():
            by_name.setdefault(process.name, []).append(process.popen.pid)
        return by_name

    def instances(self, count: int) -> list["Servers"]:
        """Look at so many processes of the functions one at a time; each then answers under the function's name.

        The emulator is the same for all.
        """
        return [self.part(number, 1) for number in range(1, count + 1)]

    def part(self, first: int, count: int) -> "Servers":
        """Look at so many processes of the functions, from the ``first`` on, as if there were no others."""
        names = {process.name for process in self.running.values()}
        return replace(
            self,
            running={"firestore": self.running["firestore"]}
            | {
                _key(name, number + 1): self.running[_key(name, first + number)]
                for name, number in product(names, range(count))
                if _key(name, first + number) in self.running
            },
        )


def _key(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


NOBODY = "127.0.0.1:1"
"""What is measured here publishes nothing; an address of nobody keeps it so."""


@contextmanager
def running_servers(
    *names: str, ours: int = 1, others_from: Path = ROOT, as_in_production: bool = False
) -> Iterator[Servers]:
    """Run an emulator and these functions, the product's or the empty one, and stop exactly those.

    A function that is named several times gets as many processes, each a server of its own. ``others_from`` is the
    checkout that all but the first, or the first ``ours``, are taken from. ``as_in_production`` puts the proxy that
    delays before the emulator, and gives each process of a function one core, where the system can.

    Raises:
        JarError: the emulator's jar is not to be had.
        StartError: something did not start, or the environment would make other servers than the default ones.
    """
    require_default_servers()
    work = Path(tempfile.mkdtemp(prefix="seatlease-bench-"))
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, work, ignore_errors=True)
        running = {"firestore": start_firestore(port=free_port(), log_folder=work / "logs", java=_ROOMY)}
        confined = as_in_production and hasattr(os, "sched_setaffinity")
        servers = Servers(running=running, work=work, are_confined=confined)
        cleanup.callback(servers.stop_firestore)
        running["firestore"].wait_until_ready()
        if as_in_production:
            running[DELAY_PROXY], delayed_host = _start_proxy(servers)
            servers = replace(servers, delayed_host=delayed_host)
            cleanup.callback(running[DELAY_PROXY].stop)
            running[DELAY_PROXY].wait_until_ready()
        environment = {
            **function_environment(project=PROJECT, firestore=servers.store_host, pubsub=NOBODY),
            **_DEFAULT_SERVER,
        }
        wanted = Counter(names)
        served: list[Process] = []
        cleanup.callback(lambda: stop_together(served))
        # One process of each at a time: many that start together start slowly.
        for number in range(1, max(wanted.values(), default=0) + 1):
            started = [name for name, count in wanted.items() if count >= number]
            for name in started:
                if name == EMPTY:
                    process = _start_beside(name, servers, environment)
                else:
                    process = start_function(
                        name,
                        work=work / f"process-{number}",
                        environment=environment,
                        root=ROOT if number <= ours else others_from,
                    )
                running[_key(name, number)] = process
                served.append(process)
                if confined:
                    confine(process.popen.pid, number - 1 + list(wanted).index(name))
            for name in started:
                running[_key(name, number)].wait_until_ready()
        yield servers


def _start_proxy(servers: Servers) -> tuple[Process, str]:
    """Start the proxy that delays, and say at which HOST:PORT it stands for the emulator."""
    listen, control = free_port(), free_port()
    target = servers.firestore_host.rpartition(":")[2]
    command = [sys.executable, "-m", "tests.programs.bench.delay_proxy", str(listen), target, str(control)]
    process = Process.start(DELAY_PROXY, command, port=control, log_folder=servers.work / "logs", cwd=ROOT)
    return process, f"127.0.0.1:{listen}"


def confine(pid: int, number: int) -> None:
    """Give a process that has just started one of the cores, and with it all that it will start."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, {cores[number % len(cores)]})


def replace_firestore(servers: Servers) -> None:
    """Put a new emulator, which is empty, in the place of the one that runs: at its address.

    Raises:
        StartError: it did not start.
    """
    port = int(servers.firestore_host.rpartition(":")[2])
    servers.stop_firestore()
    servers.running["firestore"] = start_firestore(port=port, log_folder=servers.work / "logs", java=_ROOMY)
    servers.running["firestore"].wait_until_ready()


@contextmanager
def with_locking(servers: Servers) -> Iterator[Servers]:
    """Run the locking function as well, for one measurement.

    Raises:
        StartError: it did not start.
    """
    environment = function_environment(project=PROJECT, firestore=servers.firestore_host, pubsub=NOBODY)
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
