"""The functions, each in a process of functions-framework's own, on the Firestore emulator."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from google.cloud import firestore

from infra.local.audit_topic import create_topic
from infra.local.processes import Process
from infra.local.seed import firestore_client
from infra.local.serving import function_environment, start_function
from infra.stage import function_names
from tests.support.client import Clients

StartFunction = Callable[..., Process]


@pytest.fixture(scope="session")
def functions_project() -> str:
    """The project that the shared servers use; every test has an organization of its own in it."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def functions_environment(functions_project: str, firestore_host: str, pubsub_host: str) -> dict[str, str]:
    """What the shared servers are told."""
    create_topic(pubsub_host, project=functions_project)
    environment = function_environment(project=functions_project, firestore=firestore_host, pubsub=pubsub_host)
    return {**environment, "SEATLEASE_ENVIRONMENT": "test", "SEATLEASE_LOG_LEVEL": "DEBUG"}


@pytest.fixture(scope="session")
def start_server(
    functions_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartFunction]:
    """Start one more process of a function; it is stopped at the end at the latest."""
    with ExitStack() as cleanup:

        def start(name: str, **changes: str) -> Process:
            work: Path = tmp_path_factory.mktemp(name)
            process = start_function(name, work=work, environment={**functions_environment, **changes})
            cleanup.callback(process.stop)
            return process

        yield start


@pytest.fixture(scope="session")
def servers(start_server: StartFunction) -> Mapping[str, Process]:
    """One process of every function."""
    processes = {name: start_server(name) for name in function_names()}
    for process in processes.values():
        process.wait_until_ready()
    return processes


@pytest.fixture
def project(functions_project: str) -> str:
    """Here the project of the servers."""
    return functions_project


@pytest.fixture
def console(functions_project: str, firestore_host: str) -> Iterator[firestore.Client]:
    """The admin's hand, in the servers' project."""
    client = firestore_client(project=functions_project, firestore_host=firestore_host)
    yield client
    client.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Connections enough for every client of a test."""
    # None is used twice: the servers close a connection that is idle for two seconds, and who uses it then is cut off.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=30, limits=limits) as client:
        yield client


@pytest.fixture
def clients(http: httpx.AsyncClient, servers: Mapping[str, Process], project: str) -> Clients:
    """Makes clients that talk straight to the functions' own servers."""
    return Clients(http=http, urls={name: process.url for name, process in servers.items()}, project=project)
