"""What must be running: fixtures are named after it. An emulator that does not start fails the test, never skips it."""

import os
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.cloud import firestore
from hypothesis import settings

from infra.build.stage import function_names
from infra.local.auth import firebase_program, start_auth
from infra.local.emulators import reset_firestore, start_firestore, start_pubsub
from infra.local.processes import Process, free_port
from infra.local.seed import firestore_client
from tests.programs.bench.cpu import cores
from tests.support import exchanges
from tests.support.confidential import leaks_below
from tests.support.length import LONG
from tests.support.people import AUTH_PROJECT
from tests.workers import ByFile, turn_of, workers_for

# For whoever wants to look longer: pytest --hypothesis-profile=long --timeout=0, of some files.
settings.register_profile(LONG, max_examples=2_000, deadline=None, print_blob=True)
# An example that takes long on a busy machine is no fault.
settings.register_profile("gate", deadline=None)
settings.load_profile("gate")

pytest_plugins = ["tests.support.connections", "tests.support.local_stack", "tests.support.servers"]

_LOGS = pytest.StashKey[Path]()


def pytest_configure() -> None:
    """Note requests, and hear signals that a shell has its background jobs ignore: programs would inherit that."""
    exchanges.watch()
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Say how many workers are to run what was asked for; ``-n`` and the plugin's own variable come first."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return workers_for(config.args, processors=cores())


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:  # noqa: ANN401 its maker is not public
    """Share the tests out by file."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long."""
    items.sort(key=lambda item: turn_of(item.nodeid))


@pytest.fixture(scope="session", autouse=True)
def _logs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Know where the logs are; and when everything has stopped, look through all that our servers printed.

    It is made before all other fixtures, and so ends behind them; each worker looks through what it has started.
    """
    folder = request.config.stash[_LOGS] = tmp_path_factory.getbasetemp()
    yield
    leaks = list(leaks_below(folder, servers={*function_names(), "gateway"}))
    assert leaks == [], "servers printed what they may not:\n" + "\n".join(map(str, leaks[:20]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show beside a failure what the test asked last, and where the servers' logs are: each worker has its own."""
    report = yield
    if report.failed and (folder := item.config.stash.get(_LOGS, None)) is not None:
        report.sections.append(("The latest requests", exchanges.report(folder)))
        report.sections.append(("The servers' logs", f"*.log below {folder}"))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    exchanges.forget()


def _running(process: Process) -> Iterator[Process]:
    """Wait for what was started, lend it, and stop it."""
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="session")
def events_port() -> int:
    """Where the Firestore emulator posts the document events that a test has asked for."""
    return free_port()


@pytest.fixture(scope="session")
def firestore_emulator(tmp_path_factory: pytest.TempPathFactory, events_port: int) -> Iterator[Process]:
    """Google's Firestore emulator, one for all tests."""
    logs: Path = tmp_path_factory.mktemp("firestore")
    process = start_firestore(port=free_port(), log_folder=logs, events_to=f"127.0.0.1:{events_port}")
    yield from _running(process)


@pytest.fixture(scope="session")
def firestore_host(firestore_emulator: Process, _firestore_hosts: list[str]) -> str:
    """HOST:PORT of the emulator."""
    host = firestore_emulator.url.removeprefix("http://")
    _firestore_hosts.append(host)
    return host


@pytest.fixture(scope="session")
def _firestore_hosts() -> list[str]:
    """Where the Firestore emulator answers, once a test has asked for it."""
    return []


@pytest.fixture(scope="module", autouse=True)
def _forgotten(_firestore_hosts: list[str]) -> Iterator[None]:
    """Leave an empty store behind each file of tests.

    What it holds slows the next one down, and a run over all organizations looks at each that is there.
    """
    yield
    for host in _firestore_hosts:
        reset_firestore(host)


@pytest.fixture(scope="session")
def pubsub_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Google's Pub/Sub emulator, one for all tests."""
    process = start_pubsub(port=free_port(), log_folder=tmp_path_factory.mktemp("pubsub"))
    yield from _running(process)


@pytest.fixture(scope="session")
def pubsub_host(pubsub_emulator: Process) -> str:
    """HOST:PORT of the emulator."""
    return pubsub_emulator.url.removeprefix("http://")


@pytest.fixture(scope="session")
def auth_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Google's Firebase Auth emulator, one for all tests. The one thing that a machine may lack: it takes npm."""
    program = firebase_program()
    if program is None:
        if shutil.which("npm") is None:
            pytest.skip("npm is missing, so there is no Firebase Auth emulator")
        pytest.fail("the Firebase Auth emulator is not installed: make auth-emulator")
    process = start_auth(program, port=free_port(), work=tmp_path_factory.mktemp("auth"), project=AUTH_PROJECT)
    yield from _running(process)


@pytest.fixture(scope="session")
def auth_host(auth_emulator: Process) -> str:
    """HOST:PORT of the emulator."""
    return auth_emulator.url.removeprefix("http://")


@pytest.fixture
def project() -> str:
    """An empty project of the test's own."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def console(project: str, firestore_host: str) -> Iterator[firestore.Client]:
    """The admin's hand: Google's own client on the test's project, as the Firebase console would read and write."""
    client = firestore_client(project=project, firestore_host=firestore_host)
    yield client
    client.close()
