"""The servers: both emulators behind proxies, several processes of the functions, and a gateway for events."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import libfaketime

from infra.build.stage import ROOT, stage
from infra.local.audit_topic import create_topic
from infra.local.emulators import register_triggers, start_firestore, start_pubsub
from infra.local.processes import Process, free_port, stop_together
from infra.local.serving import function_environment
from tests.programs.faults.plan import EVENT_FUNCTIONS, SERVED, Scale
from tests.support.tcp_proxy import TcpProxy

PROJECT = "demo-seatlease-proof"
ANSWER_WITHIN_SECONDS = 4

_SETTINGS = {
    "SEATLEASE_ENVIRONMENT": "test",
    # Deadlines that a fault of seconds can exceed.
    "SEATLEASE_ANSWER_WITHIN_SECONDS": str(ANSWER_WITHIN_SECONDS),
    "SEATLEASE_STORE_TIMEOUT_SECONDS": "2",
    "SEATLEASE_RUN_WITHIN_SECONDS": "10",
}
_CLOCKS = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"


@dataclass(eq=False, kw_only=True, slots=True)
class Instance:
    """One process of a function, which comes back on the same port. ``clock`` is the file that moves its clock."""

    name: str
    function: str
    port: int
    folder: Path
    environment: Mapping[str, str]
    logs: Path
    clock: Path | None
    process: Process | None = None
    starts: int = 0

    @property
    def url(self) -> str:
        """Where it answers, while it does."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Process:
        """Start it; does not wait for it. Each start has a log of its own."""
        self.starts += 1
        script = Path(sys.executable).parent / "functions-framework"
        command = [str(script), "--target", self.function, "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = Process.start(
            f"{self.name}.{self.starts}",
            command,
            port=self.port,
            log_folder=self.logs,
            cwd=self.folder,
            environment=self.environment,
        )
        return self.process

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        if self.process is not None:
            self.process.signal(signal.SIGKILL)
            self.process.popen.wait()


@dataclass(eq=False, kw_only=True, slots=True)
class Servers:
    """Everything that runs. Functions reach the emulators through the proxies ``store`` and ``topic`` only."""

    work: Path
    firestore: Process
    firestore_port: int
    events_port: int
    pubsub_host: str
    store: TcpProxy
    topic: TcpProxy
    instances: dict[str, Instance] = field(default_factory=dict)
    restarts: int = 0

    @property
    def logs(self) -> Path:
        """The folder of everybody's logs."""
        return self.work / "logs"

    @property
    def firestore_host(self) -> str:
        """HOST:PORT of the emulator itself."""
        return f"127.0.0.1:{self.firestore_port}"

    def of(self, function: str) -> list[Instance]:
        """The processes of one function."""
        return [instance for instance in self.instances.values() if instance.function == function]

    def stop_store(self) -> None:
        """Stop the Firestore emulator that runs now."""
        self.firestore.stop()

    def start_store(self, export: Path | None = None) -> None:
        """Start the Firestore emulator, perhaps from its export, on the port that it always has."""
        self.restarts += 1
        self.firestore = start_firestore(
            port=self.firestore_port,
            log_folder=self.logs / f"firestore.{self.restarts}",
            events_to=f"127.0.0.1:{self.events_port}",
            export=export,
        )
        self.firestore.wait_until_ready()
        register_triggers(self.firestore_host, project=PROJECT, names=EVENT_FUNCTIONS)


@contextmanager
def running_servers(scale: Scale, *, root: Path = ROOT) -> Iterator[Servers]:
    """Run everything, with the functions of the repository at ``root``, and stop exactly that.

    Raises:
        JarError: an emulator's jar is not to be had.
        StartError: something did not start.
    """
    work = Path(tempfile.mkdtemp(prefix="seatlease-proof-"))
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, work, ignore_errors=True)
        logs, events_port = work / "logs", free_port()
        firestore_port, pubsub_port = free_port(), free_port()
        pubsub = start_pubsub(port=pubsub_port, log_folder=logs)
        cleanup.callback(pubsub.stop)
        firestore = start_firestore(port=firestore_port, log_folder=logs, events_to=f"127.0.0.1:{events_port}")
        store, topic = TcpProxy(target_port=firestore_port), TcpProxy(target_port=pubsub_port)
        servers = Servers(
            work=work,
            firestore=firestore,
            firestore_port=firestore_port,
            events_port=events_port,
            pubsub_host=f"127.0.0.1:{pubsub_port}",
            store=store,
            topic=topic,
        )
        cleanup.callback(servers.stop_store)
        for proxy in (store, topic):
            proxy.start()
            cleanup.callback(proxy.stop)
        cleanup.callback(lambda: stop_together(_processes(servers)))
        _start_functions(servers, scale, root)
        gateway = _start_gateway(servers)
        cleanup.callback(gateway.stop)
        for process in (firestore, pubsub, gateway, *_processes(servers)):
            process.wait_until_ready()
        create_topic(servers.pubsub_host, project=PROJECT)
        register_triggers(servers.firestore_host, project=PROJECT, names=EVENT_FUNCTIONS)
        yield servers


def _processes(servers: Servers) -> list[Process]:
    return [each.process for each in servers.instances.values() if each.process is not None]


def _start_functions(servers: Servers, scale: Scale, root: Path) -> None:
    environment = function_environment(
        project=PROJECT, firestore=f"127.0.0.1:{servers.store.port}", pubsub=f"127.0.0.1:{servers.topic.port}"
    )
    for function in (*SERVED, *EVENT_FUNCTIONS):
        folder = stage(function, servers.work / "stage", root=root)
        for number in range(1, (1 if function in EVENT_FUNCTIONS else scale.processes) + 1):
            name = f"{function}-{number}"
            # The clock of each first process is right.
            clock = servers.work / f"{name}.clock" if number > 1 else None
            if clock is not None:
                clock.write_text("+0")
            instance = Instance(
                name=name,
                function=function,
                port=free_port(),
                folder=folder,
                environment={**environment, **_SETTINGS, **_moved_by(clock)},
                logs=servers.logs,
                clock=clock,
            )
            servers.instances[name] = instance
            instance.start()


def _moved_by(clock: Path | None) -> dict[str, str]:
    if clock is None:
        return {}
    return {
        "LD_PRELOAD": str(_CLOCKS),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _start_gateway(servers: Servers) -> Process:
    routes = [f"--route={name}={servers.of(name)[0].url}" for name in EVENT_FUNCTIONS]
    command = [sys.executable, "-m", "infra.local", "gateway", f"--port={servers.events_port}", *routes]
    return Process.start("gateway", command, port=servers.events_port, log_folder=servers.logs, cwd=ROOT)
