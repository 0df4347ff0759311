"""Clients of the functions, and what they publish."""

from collections.abc import AsyncIterator, Iterator, Mapping
from uuid import uuid4

import httpx
import pytest

from infra.local.audit_topic import create_topic, subscribed
from infra.local.loopback import NO_TLS
from infra.local.processes import Process
from tests.support.client import Clients
from tests.support.servers import StartFunction
from tests.support.subscriber import Subscriber


@pytest.fixture
def project(functions_project: str) -> str:
    """Here the project of the servers."""
    return functions_project


@pytest.fixture
def subscriber(project: str, pubsub_host: str) -> Iterator[Subscriber]:
    """Receives what is published while the test runs."""
    create_topic(pubsub_host, project=project)
    with subscribed(pubsub_host, project=project, subscription=f"test-{uuid4().hex[:12]}") as subscription:
        yield Subscriber(subscription=subscription)
        subscription.client.delete_subscription(subscription=subscription.path)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Connections enough for every client of a test."""
    # None is used twice: the servers close a connection that is idle for two seconds, and who uses it then is cut off.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(verify=NO_TLS, timeout=30, limits=limits) as client:
        yield client


@pytest.fixture(scope="session")
def four_acquire_processes(servers: Mapping[str, Process], start_server: StartFunction) -> list[str]:
    """Addresses of four processes of acquire, each an instance of its own."""
    more = [start_server("acquire") for _ in range(3)]
    for process in more:
        process.wait_until_ready()
    return [servers["acquire"].url, *(process.url for process in more)]


@pytest.fixture
def clients(http: httpx.AsyncClient, servers: Mapping[str, Process], project: str) -> Clients:
    """Makes clients that talk straight to the functions' own servers."""
    return Clients(http=http, urls={name: process.url for name, process in servers.items()}, project=project)
