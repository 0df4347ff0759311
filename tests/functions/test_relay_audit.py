"""Relay: every created audit event becomes a message, whatever form the event comes in and however often."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from google.cloud import firestore

from infra.local.audit_topic import create_topic, subscribed
from infra.local.emulators import start_pubsub
from infra.local.processes import Process, free_port
from tests.support.client import Clients
from tests.support.cloud_event import CloudEvent
from tests.support.log_lines import lines_of
from tests.support.servers import StartFunction, StartGateway
from tests.support.subscriber import Subscriber
from tests.support.tenant import Tenant

ANSWER_WITHIN, GRACE = 3.0, 1.0


@pytest.fixture
def relay(servers: Mapping[str, Process]) -> Process:
    """The server of the function under test."""
    return servers["relay_audit"]


async def _stored_event(clients: Clients, tenant: Tenant, user_id: str = "m0") -> firestore.DocumentReference:
    """Have an audit event written by the function that writes them."""
    await clients.of(tenant, user_id).acquired()
    (event,) = (each for each in tenant.event_documents("session.acquired") if each.get("user_id") == user_id)
    reference: firestore.DocumentReference = event.reference
    return reference


async def _assert_only_this_is_received(
    http: httpx.AsyncClient, relay: Process, subscriber: Subscriber, event: firestore.DocumentReference
) -> None:
    """Publish one more event, behind whatever may have been published, and see it come alone."""
    assert (await CloudEvent.created(event).post(http, relay.url)).status_code == 200
    subscriber.wait_for({event.id})
    assert {message.event["event_id"] for message in subscriber.messages} == {event.id}


# What production sends


async def test_a_created_event_is_published_whole_and_stamped(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, relay: Process, subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console, seats=3, organization_seats=7)
    event = await _stored_event(clients, tenant)
    stored = event.get().to_dict() or {}

    response = await CloudEvent.created(event).post(http, relay.url)

    assert response.status_code == 200
    subscriber.wait_for({event.id})
    (message,) = subscriber.of(tenant)
    assert message.event == {
        "schema_version": 1,
        "event_id": event.id,
        "type": "session.acquired",
        "at": stored["at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor": "m0",
        "organization_id": tenant.organization_id,
        "license_id": "license-1",
        "session_id": stored["session_id"],
        "user_id": "m0",
        "hardware_id": "laptop",
        "grant_number": 1,
        "details": {
            "ip_address": None,
            "user_agent": stored["details"]["user_agent"],
            "user_email": "m0@example.com",
            "pool": None,
            "is_overdraft": False,
            "seats": {"in_use": 1, "max": 3},
            "organization_seats": {"in_use": 1, "max": 7},
            "waited_seconds": None,
        },
    }
    assert message.attributes == {
        "event_id": event.id,
        "event_type": "session.acquired",
        "organization_id": tenant.organization_id,
    }
    assert message.ordering_key == tenant.organization_id
    after = event.get().to_dict() or {}
    assert after.pop("published_at") >= stored["at"]
    assert after == {name: value for name, value in stored.items() if name not in {"published_at", "unpublished_shard"}}


async def test_an_event_that_comes_again_is_answered_with_success_and_published_under_the_same_id(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, relay: Process, subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console)
    event, last = await _stored_event(clients, tenant), await _stored_event(clients, tenant, "m1")
    again = CloudEvent.created(event)

    at_once = await asyncio.gather(*(again.post(http, relay.url) for _ in range(5)))
    stamp = event.get().get("published_at")
    later = await again.post(http, relay.url)

    assert [response.status_code for response in (*at_once, later)] == [200] * 6
    assert stamp is not None
    assert event.get().get("published_at") == stamp
    await CloudEvent.created(last).post(http, relay.url)
    subscriber.wait_for({last.id})
    assert [message.event["event_id"] for message in subscriber.of(tenant)] == [event.id, last.id]


async def test_ids_that_are_not_ascii_are_read_from_the_bare_utf_8_that_production_sends(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, relay: Process, subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console, prefix="Zoë & 東京 100%C3")
    written = await _stored_event(clients, tenant)
    event = tenant.organization.collection("audit_events").document(f"événement-{uuid4().hex}")
    event.set(written.get().to_dict() or {})

    answers = [await CloudEvent.created(each).post(http, relay.url) for each in (written, event)]

    assert [answer.status_code for answer in answers] == [200, 200]
    subscriber.wait_for({written.id, event.id})
    for message in subscriber.of(tenant):
        assert message.event["organization_id"] == tenant.organization_id
        assert message.attributes["organization_id"] == tenant.organization_id
        assert message.attributes["event_id"] == message.event["event_id"]
    assert event.get().get("published_at") is not None


async def test_the_organization_in_a_message_is_the_one_it_is_stored_under_whatever_its_fields_say(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, relay: Process, subscriber: Subscriber
) -> None:
    tenant, other = Tenant.create(console), Tenant.create(console)
    event = await _stored_event(clients, tenant)
    event.update({"organization_id": other.organization_id, "event_id": "another"})

    await CloudEvent.created(event).post(http, relay.url)

    subscriber.wait_for({event.id})
    (message,) = subscriber.of(tenant)
    assert message.event["organization_id"] == message.attributes["organization_id"] == tenant.organization_id


async def test_a_structured_event_is_as_good_as_a_binary_one(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, relay: Process, subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console, prefix="Zoë")
    event = await _stored_event(clients, tenant)
    structured = json.dumps({**CloudEvent.created(event).attributes, "data": {}})

    response = await http.post(
        relay.url, content=structured.encode(), headers={"Content-Type": "application/cloudevents+json"}
    )

    assert response.status_code == 200
    subscriber.wait_for({event.id})
    assert [message.event["event_id"] for message in subscriber.of(tenant)] == [event.id]


# What there is nothing to publish of


async def test_a_deleted_event_is_done_with(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, relay: Process, subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console)
    deleted, last = await _stored_event(clients, tenant), await _stored_event(clients, tenant, "m1")
    deleted.delete()
    asked = CloudEvent.created(deleted)

    response = await asked.post(http, relay.url)

    assert response.status_code == 200
    (line,) = lines_of(relay.log, asked.event_id)
    assert (line["severity"], line["message"]) == ("INFO", "an audit event was deleted before it was published")
    await _assert_only_this_is_received(http, relay, subscriber, last)


ELSEWHERE = [
    pytest.param("", id="empty"),
    pytest.param("{organization}", id="the organization"),
    pytest.param("{organization}/sessions/{event}", id="another collection"),
    pytest.param("{organization}/audit_events/", id="no id"),
    pytest.param("{organization}/audit_events/..", id="no possible id"),
    pytest.param("{organization}/audit_events/{event}/", id="a slash behind"),
    pytest.param("/{organization}/audit_events/{event}", id="a slash before"),
    pytest.param("{organization}/audit_events/{event}/notes/1", id="below it"),
    pytest.param("archive/2026/{organization}/audit_events/{event}", id="above it"),
    pytest.param("{organization}/audit_events", id="the collection"),
]


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_a_path_that_leads_to_no_audit_event_is_logged_and_done_with(
    http: httpx.AsyncClient,
    clients: Clients,
    console: firestore.Client,
    relay: Process,
    subscriber: Subscriber,
    project: str,
    path: str,
) -> None:
    tenant = Tenant.create(console)
    event = await _stored_event(clients, tenant)
    wrong = CloudEvent(project=project, path=path.format(organization=tenant.organization.path, event=event.id))

    response = await wrong.post(http, relay.url)

    assert response.status_code == 200
    (line,) = lines_of(relay.log, wrong.event_id)
    message = "an event for a document that is not an audit event; it is ignored"
    assert (line["severity"], line["message"], line["document"]) == ("ERROR", message, wrong.path)
    assert event.get().get("published_at") is None
    await _assert_only_this_is_received(http, relay, subscriber, event)


async def test_an_event_without_a_document_is_logged_and_done_with(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, relay: Process, subscriber: Subscriber
) -> None:
    event = await _stored_event(clients, Tenant.create(console))
    without = CloudEvent.created(event)

    response = await without.post(http, relay.url, without="document")

    assert response.status_code == 200
    (line,) = lines_of(relay.log, without.event_id)
    assert (line["severity"], line["message"]) == ("ERROR", "an event names no document; it is ignored")
    await _assert_only_this_is_received(http, relay, subscriber, event)


@pytest.mark.parametrize("document", [None, 5, ["organizations"], "organizations/\ud800/audit_events/x"], ids=ascii)
async def test_a_document_that_is_no_path_is_logged_and_done_with(
    http: httpx.AsyncClient, relay: Process, project: str, document: object
) -> None:
    event = CloudEvent(project=project, path="-")
    structured = json.dumps({**event.attributes, "document": document, "data": {}})

    response = await http.post(
        relay.url, content=structured.encode(), headers={"Content-Type": "application/cloudevents+json"}
    )

    assert response.status_code == 200
    assert [line["severity"] for line in lines_of(relay.log, event.event_id)] == ["ERROR"]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        pytest.param(b"", {}, id="nothing"),
        pytest.param(b"{}", {"Content-Type": "application/json"}, id="JSON"),
        pytest.param(b"{", {"Content-Type": "application/cloudevents+json"}, id="broken JSON"),
        pytest.param(b"", {"ce-id": "1", "ce-document": "organizations/o/audit_events/e"}, id="half the attributes"),
    ],
)
async def test_what_is_no_event_is_400(
    http: httpx.AsyncClient, relay: Process, content: bytes, headers: dict[str, str]
) -> None:
    response = await http.post(relay.url, content=content, headers=headers)

    assert response.status_code == 400


async def test_a_denial_is_left_to_expire_sessions(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, relay: Process, subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console, seats=0)
    await clients.of(tenant).acquire()
    (denial,) = tenant.event_documents("session.denied")
    tenant.age(denial.reference)
    asked = CloudEvent.created(denial.reference)

    response = await asked.post(http, relay.url)

    assert response.status_code == 200
    assert lines_of(relay.log, asked.event_id) == []
    assert denial.reference.get().get("published_at") is None
    tenant.license().update({"max_concurrent_seats": 1})
    await _assert_only_this_is_received(http, relay, subscriber, await _stored_event(clients, tenant))


async def test_an_event_that_cannot_be_read_is_logged_with_its_fields_and_waits_for_the_admin(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, relay: Process, subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console)
    broken, last = await _stored_event(clients, tenant), await _stored_event(clients, tenant, "m1")
    broken.update({"grant_number": "first", "details.seats": firestore.DELETE_FIELD})
    asked = CloudEvent.created(broken)

    response = await asked.post(http, relay.url)

    assert response.status_code == 200
    (line,) = lines_of(relay.log, asked.event_id)
    assert (line["severity"], line["document"]) == ("ERROR", broken.path)
    assert "grant_number" in line["fields"]
    assert "details.seats" in line["fields"]
    assert broken.get().get("published_at") is None
    await _assert_only_this_is_received(http, relay, subscriber, last)


# The emulator's own form


async def test_the_emulators_own_event_becomes_a_message_through_the_gateway(
    http: httpx.AsyncClient,
    clients: Clients,
    console: firestore.Client,
    relay: Process,
    subscriber: Subscriber,
    start_gateway: StartGateway,
    project: str,
) -> None:
    gateway = start_gateway({"relay_audit": relay.url})
    event = await _stored_event(clients, Tenant.create(console, prefix="Zoë & 東京"))
    name = f"projects/{project}/databases/(default)/documents/{event.path}"
    emulated = {
        "context": {
            "eventId": str(uuid4()),
            "eventType": "providers/cloud.firestore/eventTypes/document.create",
            "resource": {"service": "firestore.googleapis.com", "name": name},
            "timestamp": "2026-03-02T09:14:07.250000Z",
        },
        "data": {
            "value": {
                "name": name,
                "fields": {"type": {"stringValue": "session.acquired"}},
                "createTime": "2026-03-02T09:14:07.250000Z",
                "updateTime": "2026-03-02T09:14:07.250000Z",
            },
            "oldValue": {},
            "updateMask": {},
        },
    }

    response = await http.post(f"{gateway.url}/functions/projects/{project}/triggers/relay_audit-0", json=emulated)

    assert response.status_code == 202
    subscriber.wait_for({event.id})


# Away


@dataclass(frozen=True, kw_only=True)
class OwnTopic:
    """A Pub/Sub emulator of the test's own, a relay that publishes to it, and a subscriber."""

    emulator: Process
    relay: Process
    subscriber: Subscriber


@pytest.fixture
def own_topic(
    start_server: StartFunction, project: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OwnTopic]:
    """Its own, so that other tests do not feel it."""
    port = free_port()
    host = f"127.0.0.1:{port}"
    emulator = start_pubsub(port=port, log_folder=tmp_path_factory.mktemp("pubsub"))
    relay = start_server(
        "relay_audit",
        PUBSUB_EMULATOR_HOST=host,
        SEATLEASE_ANSWER_WITHIN_SECONDS=str(int(ANSWER_WITHIN)),
        SEATLEASE_STORE_TIMEOUT_SECONDS="1",
        SEATLEASE_PUBLISH_TIMEOUT_SECONDS="1",
    )
    try:
        emulator.wait_until_ready()
        relay.wait_until_ready()
        create_topic(host, project=project)
        with subscribed(host, project=project) as subscription:
            yield OwnTopic(emulator=emulator, relay=relay, subscriber=Subscriber(subscription=subscription))
    finally:
        relay.stop()
        emulator.stop()


@pytest.mark.long
async def test_while_the_topic_does_not_answer_it_gives_up_in_time_and_what_comes_again_is_published(
    http: httpx.AsyncClient, clients: Clients, console: firestore.Client, own_topic: OwnTopic
) -> None:
    tenant = Tenant.create(console)
    before, event = await _stored_event(clients, tenant), await _stored_event(clients, tenant, "m1")
    await CloudEvent.created(before).post(http, own_topic.relay.url)
    own_topic.emulator.signal(signal.SIGSTOP)
    delivery = CloudEvent.created(event)
    started = time.monotonic()

    refused = await delivery.post(http, own_topic.relay.url)

    assert time.monotonic() - started < ANSWER_WITHIN + GRACE
    assert refused.status_code == 500
    assert [line["severity"] for line in lines_of(own_topic.relay.log, delivery.event_id)] == ["ERROR"]
    assert event.get().get("published_at") is None
    own_topic.emulator.signal(signal.SIGCONT)
    assert (await delivery.post(http, own_topic.relay.url)).status_code == 200
    own_topic.subscriber.wait_for({before.id, event.id})
    assert event.get().get("published_at") is not None


async def test_while_firestore_does_not_answer_the_event_is_refused_so_that_it_comes_again(
    http: httpx.AsyncClient, start_server: StartFunction, project: str
) -> None:
    relay = start_server(
        "relay_audit",
        FIRESTORE_EMULATOR_HOST=f"127.0.0.1:{free_port()}",
        SEATLEASE_ANSWER_WITHIN_SECONDS=str(int(ANSWER_WITHIN)),
        SEATLEASE_STORE_TIMEOUT_SECONDS="1",
        SEATLEASE_PUBLISH_TIMEOUT_SECONDS="1",
    )
    relay.wait_until_ready()
    delivery = CloudEvent(project=project, path="organizations/o/audit_events/e")
    started = time.monotonic()

    response = await delivery.post(http, relay.url)

    assert time.monotonic() - started < ANSWER_WITHIN + GRACE
    assert response.status_code == 500
    assert [line["severity"] for line in lines_of(relay.log, delivery.event_id)] == ["ERROR"]
    relay.stop()
