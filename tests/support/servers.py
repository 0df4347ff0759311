"""The functions, each in a process of functions-framework's own, on the Firestore emulator: one set for each worker."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from infra.build.stage import ROOT, function_names, stage
from infra.local.audit_topic import create_topic
from infra.local.forked import ForkServer, fork_server
from infra.local.processes import Process, free_port, stop_together
from infra.local.serving import function_environment, start_function
from tests.support.people import AUTH_PROJECT

StartFunction = Callable[..., Process]
StartServers = Callable[..., dict[str, str]]
StartGateway = Callable[..., Process]


@pytest.fixture(scope="session")
def functions_project() -> str:
    """The project that the shared servers use; every test has an organization of its own in it.

    It is the one that the Auth emulator's tokens are of, whatever the API key.
    """
    return AUTH_PROJECT


@pytest.fixture(scope="session")
def functions_environment(functions_project: str, firestore_host: str, pubsub_host: str) -> dict[str, str]:
    """What the shared servers are told."""
    create_topic(pubsub_host, project=functions_project)
    environment = function_environment(project=functions_project, firestore=firestore_host, pubsub=pubsub_host)
    return {**environment, "SEATLEASE_ENVIRONMENT": "test", "SEATLEASE_LOG_LEVEL": "DEBUG"}


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    with fork_server() as forks:
        yield forks


@pytest.fixture(scope="session")
def start_server(
    functions_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory, forks: ForkServer
) -> Iterator[StartFunction]:
    """Start one more process of a function; it is stopped at the end at the latest."""
    started: list[Process] = []
    staged: dict[str, Path] = {}

    def start(name: str, **changes: str) -> Process:
        if name not in staged:
            staged[name] = stage(name, tmp_path_factory.mktemp("stage"))
        work: Path = tmp_path_factory.mktemp(name)
        environment = {**functions_environment, **changes}
        fresh = "PYTHONPATH" in changes
        process = start_function(
            name, work=work, environment=environment, staged=staged[name], forks=None if fresh else forks
        )
        started.append(process)
        return process

    yield start
    stop_together(started)


@pytest.fixture(scope="session")
def start_servers(start_server: StartFunction) -> StartServers:
    """Start one more process of each of these functions, told the same, and say where they answer."""

    def start(*names: str, **changes: str) -> dict[str, str]:
        processes = {name: start_server(name, **changes) for name in names}
        for process in processes.values():
            process.wait_until_ready()
        return {name: process.url for name, process in processes.items()}

    return start


@pytest.fixture(scope="session")
def servers(start_server: StartFunction) -> Mapping[str, Process]:
    """One process of every function."""
    processes = {name: start_server(name) for name in function_names()}
    for process in processes.values():
        process.wait_until_ready()
    return processes


@contextmanager
def gateway_to(functions: Mapping[str, str], *, log_folder: Path, port: int | None = None) -> Iterator[Process]:
    """Run a gateway to these functions, on a port that somebody knows or a free one."""
    port = port or free_port()
    routes = [f"--route={name}={url}" for name, url in functions.items()]
    command = [sys.executable, "-m", "infra.local", "gateway", f"--port={port}", *routes]
    process = Process.start("gateway", command, port=port, log_folder=log_folder, cwd=ROOT)
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.stop()


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[StartGateway]:
    """Start a gateway to some functions, on a port that somebody knows or a free one."""
    with ExitStack() as cleanup:

        def start(functions: Mapping[str, str], *, port: int | None = None) -> Process:
            return cleanup.enter_context(gateway_to(functions, log_folder=tmp_path, port=port))

        yield start
