"""Pub/Sub away and back: no seat waits for it, and no event is lost."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from google.cloud import firestore

from infra.local.audit_topic import create_topic, subscribed
from infra.local.emulators import start_pubsub
from infra.local.processes import Process, free_port
from tests.support.client import Clients, assert_error
from tests.support.schedule import call_until_done
from tests.support.servers import StartFunction
from tests.support.subscriber import Subscriber
from tests.support.tenant import Tenant


@dataclass(kw_only=True)
class TopicOutage:
    """A Pub/Sub emulator of the test's own, which is stopped and started, and functions that know no other."""

    emulator: Process
    port: int
    urls: dict[str, str]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def project() -> str:
    """A project of the test's own: expire_sessions finds nothing else in it."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def outage(
    start_server: StartFunction, project: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TopicOutage]:
    """Its own, so that other tests do not feel it."""
    port = free_port()
    emulator = start_pubsub(port=port, log_folder=tmp_path_factory.mktemp("pubsub"))
    told = {
        "GOOGLE_CLOUD_PROJECT": project,
        "PUBSUB_EMULATOR_HOST": f"127.0.0.1:{port}",
        "SEATLEASE_PUBLISH_TIMEOUT_SECONDS": "1",
    }
    processes = {name: start_server(name, **told) for name in ("acquire", "release", "expire_sessions")}
    for process in (emulator, *processes.values()):
        process.wait_until_ready()
    state = TopicOutage(emulator=emulator, port=port, urls={name: process.url for name, process in processes.items()})
    create_topic(state.host, project=project)
    try:
        yield state
    finally:
        for process in (*processes.values(), state.emulator):
            process.stop()


async def _work(clients: Clients, tenant: Tenant) -> list[int]:
    """Take, refuse and give back seats: three of three, one too many, and one again."""
    answers = [await clients.of(tenant, f"m{n}").acquire() for n in range(4)]
    answers += [await clients.of(tenant, f"m{n}").release(answers[n].json()["session_id"]) for n in range(2)]
    return [answer.status_code for answer in answers]


async def test_seats_are_taken_and_given_back_without_the_topic_and_every_event_comes_when_it_is_back(
    outage: TopicOutage,
    console: firestore.Client,
    http: httpx.AsyncClient,
    project: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    tenant, clients = Tenant.create(console, seats=3), Clients(http=http, urls=outage.urls, project=project)
    warm = await http.post(outage.urls["expire_sessions"])
    assert warm.status_code == 200, warm.text
    outage.emulator.signal(signal.SIGKILL)
    outage.emulator.popen.wait()

    answers = await _work(clients, tenant)

    assert answers == [201, 201, 201, 409, 204, 204]
    for document in tenant.event_documents():
        tenant.age(document.reference)
    assert_error(await http.post(outage.urls["expire_sessions"]), 503, "TOPIC_UNAVAILABLE")
    assert {event["published_at"] for event in tenant.events()} == {None}

    # It comes back empty, as an emulator does: topic and subscription are made anew.
    outage.emulator = start_pubsub(port=outage.port, log_folder=tmp_path_factory.mktemp("again"))
    outage.emulator.wait_until_ready()
    create_topic(outage.host, project=project)
    with subscribed(outage.host, project=project) as subscription:
        # As Cloud Scheduler does, again and again: an emulator that has just started may be too slow for the first.
        report = await asyncio.to_thread(call_until_done, outage.urls["expire_sessions"])

        assert report.json()["events_left"] == 0
        documents = tenant.event_documents()
        subscriber = Subscriber(subscription=subscription)
        subscriber.wait_for({each.id for each in documents})
        assert len(subscriber.of(tenant)) == len(documents) == 6
    assert None not in {event["published_at"] for event in tenant.events()}
