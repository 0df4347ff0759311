"""The functions that clients call, behind a gateway: one set for all tests of the client package."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import firestore

from infra.build.triggers import OnRequest, triggers
from infra.local.audit_topic import create_topic
from infra.local.processes import Process, stop_together
from infra.local.serving import function_environment, start_function
from seatlease.testing import FakeService
from tests.client.backends import Backend, FakeBackend, RealBackend
from tests.client.commands import end, environment_of, start, stop
from tests.functions.conftest import gateway_to
from tests.support.people import AUTH_PROJECT
from tests.support.tcp_proxy import TcpProxy
from tests.support.tenant import Tenant

BuildBackend = Callable[..., RealBackend]
StartScript = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def client_project() -> str:
    """The project of these servers: the one that the Auth emulator's tokens are of, whatever the API key."""
    return AUTH_PROJECT


@pytest.fixture
def project(client_project: str) -> str:
    """Here the project of the servers."""
    return client_project


@pytest.fixture(scope="session")
def client_gateway(
    client_project: str, firestore_host: str, pubsub_host: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """One process of each function that clients call, and a gateway to them."""
    create_topic(pubsub_host, project=client_project)
    environment = {
        **function_environment(project=client_project, firestore=firestore_host, pubsub=pubsub_host),
        "SEATLEASE_ENVIRONMENT": "test",
    }
    names = [name for name, trigger in triggers().items() if isinstance(trigger, OnRequest)]
    started: list[Process] = []
    with ExitStack() as cleanup:
        cleanup.callback(stop_together, started)
        # One by one: what was started before another one failed is stopped too.
        started.extend(
            start_function(name, work=tmp_path_factory.mktemp(name), environment=environment) for name in names
        )
        urls = {process.name: process.url for process in started}
        gateway = cleanup.enter_context(gateway_to(urls, log_folder=tmp_path_factory.mktemp("gateway")))
        for process in started:
            process.wait_until_ready()
        yield gateway


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's programs note which of them share a seat: not where the person's own do."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "state" / "seatlease"


@pytest.fixture
def proxy(client_gateway: Process) -> Iterator[TcpProxy]:
    """The way to the gateway."""
    proxy = TcpProxy(target_port=int(client_gateway.url.rpartition(":")[2]))
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def build_real(console: firestore.Client, project: str, proxy: TcpProxy) -> BuildBackend:
    """Make an organization of the test's own, with one license."""

    def build(**organization: Any) -> RealBackend:  # noqa: ANN401 the documents' own
        tenant = Tenant.create(console, **organization)
        return RealBackend(tenant=tenant, project=project, proxy=proxy)

    return build


@pytest.fixture(params=["real", "fake"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Two seats, of either backend."""
    if request.param == "real":
        build: BuildBackend = request.getfixturevalue("build_real")
        return build(seats=2)
    return FakeBackend(service=FakeService(seats=2), lease=timedelta(minutes=6))


@pytest.fixture
def run_program(backend: RealBackend) -> Iterator[StartScript]:
    """Start a shell script with a seat of the backend of the test, and wait until it says that it runs."""
    with ExitStack() as cleanup:

        def run_program(script: str, *options: str) -> "subprocess.Popen[str]":
            process = start("run", *options, "--", "sh", "-c", script, environment=environment_of(backend))
            cleanup.callback(stop, process)
            assert process.stdout is not None
            assert process.stdout.readline() == "runs\n", end(process)
            return process

        yield run_program
