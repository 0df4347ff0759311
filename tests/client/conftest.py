"""The functions that clients call, behind a gateway."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import firestore

from infra.build.triggers import OnRequest, triggers
from infra.local.processes import Process
from seatlease._keeping import exits
from seatlease.testing import FakeService
from tests.client.backends import Backend, FakeBackend, RealBackend
from tests.client.commands import end, environment_of, start, stop
from tests.support.servers import gateway_to
from tests.support.tcp_proxy import TcpProxy
from tests.support.tenant import Tenant

BuildBackend = Callable[..., RealBackend]
StartScript = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def project(functions_project: str) -> str:
    """Here the project of the servers."""
    return functions_project


@pytest.fixture(scope="session")
def client_gateway(servers: Mapping[str, Process], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A gateway to the functions that clients call."""
    names = [name for name, trigger in triggers().items() if isinstance(trigger, OnRequest)]
    urls = {name: servers[name].url for name in names}
    with gateway_to(urls, log_folder=tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's programs note which of them share a seat: not where the person's own do."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "state" / "seatlease"


@pytest.fixture(autouse=True)
def no_seat_goes_on() -> Iterator[None]:
    """Give back what a test leaves held. Its heartbeats would go on in the background of later tests."""
    yield
    exits._release_all()  # noqa: SLF001 what the end of the program does
    exits._open.clear()  # noqa: SLF001 as above


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
    return _either(request)


@pytest.fixture(params=["real", "fake"])
def graceful(request: pytest.FixtureRequest) -> Backend:
    """The same, of a license with a grace of an hour."""
    return _either(request, grace=timedelta(hours=1))


@pytest.fixture
def lending(backend: Backend) -> Backend:
    """The same, of a license that lends seats for a week."""
    backend.edit(max_borrow_seconds=7 * 86_400)
    return backend


def _either(request: pytest.FixtureRequest, *, grace: timedelta = timedelta()) -> Backend:
    if request.param == "real":
        build: BuildBackend = request.getfixturevalue("build_real")
        return build(seats=2, grace_seconds=int(grace.total_seconds()))
    return FakeBackend(service=FakeService(seats=2, grace=grace), lease=timedelta(minutes=6))


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
