"""What the doctor says of the audit topic.

On the Pub/Sub emulator: what is there and who subscribes, and dead letters. From recorded answers: the topic's schema,
because the emulator knows no protobuf schemas, and BigQuery subscriptions, whose states it has not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.pubsub_v1 import PublisherClient, PubsubMessage, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.doctor.finding import Finding, Mark
from infra.doctor.project import Project
from infra.doctor.topic import check_topic
from tests.infra.recorded_api import RecordedApi, recorded, recorded_api
from tests.infra.recorded_topic import HAND_BACK, PULL, SCHEMA, SUBSCRIPTION, TOPIC, say_topic, schema


def apply(project: str) -> str:
    return (
        "terraform -chdir=infra/terraform apply -var-file=environments/production.tfvars "
        f"-var=project_id={project} -var=region=us-central1"
    )


def not_ok(findings: list[Finding]) -> list[tuple[str, str, str | None]]:
    return [(finding.subject, finding.found, finding.mend) for finding in findings if finding.mark is not Mark.OK]


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


# Recorded answers


@pytest.fixture
def api() -> Iterator[RecordedApi]:
    with recorded_api() as served:
        say_topic(served)
        yield served


def look(api: RecordedApi, *, with_bigquery: bool = True) -> list[Finding]:
    project = Project(project="demo-seatlease", region="us-central1", endpoints={"pubsub": api.url})
    return check_topic(project, with_bigquery=with_bigquery)


def test_a_topic_that_delivers_is_found_healthy(api: RecordedApi) -> None:
    findings = look(api)

    assert not_ok(findings) == []
    assert {finding.subject: finding.found for finding in findings} == {
        "topic seatlease-audit": "exists",
        "schema": "seatlease-audit-event is the same as infra/contracts/audit-event.proto",
        "subscriptions": "delivers to seatlease-audit-bigquery",
        "subscription seatlease-audit-bigquery": "delivers to demo-seatlease.seatlease_audit.messages",
        "dead-letter policy": "after 5 attempts",
        "dead letters in seatlease-audit-dead-letters": "none within 0.5 s",
    }


def test_a_topic_without_bigquery_needs_no_such_subscription(api: RecordedApi) -> None:
    del api.answers[SUBSCRIPTION]
    api.say(f"{TOPIC}/subscriptions", {})

    findings = look(api, with_bigquery=False)

    assert not_ok(findings) == []


SCHEMA_PROBLEMS = [
    ({"schemaSettings": {}}, "missing, so the topic accepts any message"),
    ({"schemaSettings": {"schema": "_deleted-schema_", "encoding": "JSON"}}, "was deleted, so publishing fails"),
    (
        {"schemaSettings": {"schema": "projects/demo-seatlease/schemas/seatlease-audit-event", "encoding": "BINARY"}},
        "seatlease-audit-event has the encoding BINARY, not JSON",
    ),
]


@pytest.mark.parametrize(("fields", "found"), SCHEMA_PROBLEMS)
def test_a_topic_without_the_right_schema_is_wrong(api: RecordedApi, fields: dict[str, Any], found: str) -> None:
    api.say(TOPIC, {**recorded("topic"), **fields})

    findings = look(api)

    assert not_ok(findings) == [("schema", found, apply("demo-seatlease"))]


def test_a_schema_that_is_not_the_files_is_wrong(api: RecordedApi) -> None:
    api.say(SCHEMA, schema('syntax = "proto3";\nmessage AuditEvent {}\n'))

    findings = look(api)

    found = "seatlease-audit-event differs from infra/contracts/audit-event.proto"
    assert not_ok(findings) == [("schema", found, apply("demo-seatlease"))]


MAKE_AGAIN = (
    f"gcloud pubsub subscriptions delete seatlease-audit-bigquery --project=demo-seatlease && {apply('demo-seatlease')}"
)
BIGQUERY = recorded("subscription")["bigqueryConfig"]
SUBSCRIPTION_PROBLEMS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"state": "RESOURCE_ERROR", "bigqueryConfig": {**BIGQUERY, "state": "PERMISSION_DENIED"}},
        "cannot deliver, so messages pile up: Pub/Sub's service agent may not write into the table",
        apply("demo-seatlease"),
    ),
    (
        {"state": "RESOURCE_ERROR", "bigqueryConfig": {**BIGQUERY, "state": "NOT_FOUND"}},
        "cannot deliver, so messages pile up: the table does not exist",
        apply("demo-seatlease"),
    ),
    (
        {"state": "RESOURCE_ERROR", "bigqueryConfig": {**BIGQUERY, "state": "SCHEMA_MISMATCH"}},
        "cannot deliver, so messages pile up: the table's columns do not match the topic's schema",
        apply("demo-seatlease"),
    ),
    (
        {"state": "RESOURCE_ERROR", "bigqueryConfig": {**BIGQUERY, "state": "IN_TRANSIT_LOCATION_RESTRICTION"}},
        "cannot deliver, so messages pile up: the table is outside the topic's allowed regions",
        apply("demo-seatlease"),
    ),
    ({"state": "RESOURCE_ERROR"}, "cannot deliver, so messages pile up", apply("demo-seatlease")),
    ({"bigqueryConfig": {}}, "does not deliver to a BigQuery table", MAKE_AGAIN),
    ({"topic": "_deleted-topic_"}, "its topic was deleted, so it receives nothing", MAKE_AGAIN),
    ({"detached": True}, "is detached from its topic, so it receives nothing", MAKE_AGAIN),
    ({"topic": "projects/demo-seatlease/topics/other"}, "subscribes to another topic, other", MAKE_AGAIN),
]


@pytest.mark.parametrize(("fields", "found", "mend"), SUBSCRIPTION_PROBLEMS)
def test_a_subscription_that_does_not_deliver_is_wrong(
    api: RecordedApi, fields: dict[str, Any], found: str, mend: str
) -> None:
    api.say(SUBSCRIPTION, {**recorded("subscription"), **fields})

    findings = look(api)

    assert not_ok(findings) == [("subscription seatlease-audit-bigquery", found, mend)]


@pytest.mark.parametrize("policy", [{}, {"deadLetterTopic": "projects/demo-seatlease/topics/other"}])
def test_a_subscription_that_sets_nothing_aside_is_wrong(api: RecordedApi, policy: dict[str, str]) -> None:
    api.say(SUBSCRIPTION, {**recorded("subscription"), "deadLetterPolicy": policy})

    findings = look(api)

    found = "undeliverable messages do not go to seatlease-audit-dead-letters"
    assert not_ok(findings) == [("dead-letter policy", found, apply("demo-seatlease"))]


def test_dead_letters_are_found_and_handed_back_at_once(api: RecordedApi) -> None:
    api.say(PULL, recorded("pull"))

    findings = look(api)

    look_at_them = "gcloud pubsub subscriptions pull seatlease-audit-dead-letters --limit=10 --project=demo-seatlease"
    assert not_ok(findings) == [
        ("dead letters in seatlease-audit-dead-letters", "BigQuery did not accept 1 messages or more", look_at_them)
    ]
    handed_back = api.bodies[api.heard.index(HAND_BACK)]
    assert handed_back["ackIds"] == ["UAYWLF1GSFE3GQhoUQ5PXiM"]
    assert not handed_back.get("ackDeadlineSeconds")


def test_without_the_right_to_ask_nothing_of_the_topic_is_healthy(api: RecordedApi) -> None:
    api.refuse_all(recorded("permission_denied"))

    findings = look(api)

    assert [finding.mark for finding in findings] == [Mark.UNKNOWN] * 3
    roles = [str(finding.mend).rpartition("=")[2] for finding in findings]
    assert roles == ["roles/pubsub.viewer", "roles/pubsub.viewer", "roles/pubsub.subscriber"]


def test_dead_letters_that_one_may_not_receive_could_not_be_checked_and_the_rest_could(api: RecordedApi) -> None:
    api.say(PULL, recorded("permission_denied"), status=403)

    findings = look(api)

    assert [(each.subject, each.mark) for each in findings if each.mark is not Mark.OK] == [
        ("dead letters", Mark.UNKNOWN)
    ]


# The emulator


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator, as the service, lets one wait where there is nothing to receive."""
    monkeypatch.setattr("infra.doctor.topic.RECEIVE_WITHIN_SECONDS", 0.5)


@contextmanager
def clients(host: str) -> Iterator[tuple[PublisherClient, SubscriberClient]]:
    with grpc.insecure_channel(host) as channel:
        yield (
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
            SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
        )


@pytest.fixture
def emulated(project: str, pubsub_host: str) -> Iterator[tuple[Project, PublisherClient, SubscriberClient]]:
    """A project on the emulator with a topic, its subscription, and the dead letters of that."""
    deployed = Project(project=project, region="us-central1", endpoints={"pubsub": f"http://{pubsub_host}"})
    with clients(pubsub_host) as (publisher, subscriber):
        for topic in (deployed.topic, deployed.dead_letter_topic):
            publisher.create_topic(name=f"projects/{project}/topics/{topic}")
        dead = f"projects/{project}/topics/{deployed.dead_letter_topic}"
        subscriber.create_subscription(
            name=f"projects/{project}/subscriptions/{deployed.dead_letter_topic}", topic=dead
        )
        wanted = {
            "name": f"projects/{project}/subscriptions/{deployed.subscription}",
            "topic": f"projects/{project}/topics/{deployed.topic}",
            "dead_letter_policy": {"dead_letter_topic": dead, "max_delivery_attempts": 5},
            "bigquery_config": {"table": f"{project}.seatlease.audit_events", "write_metadata": True},
        }
        subscriber.create_subscription(request=wanted)
        yield deployed, publisher, subscriber


def test_a_topic_on_the_emulator_is_healthy_but_for_its_schema(
    emulated: tuple[Project, PublisherClient, SubscriberClient],
) -> None:
    project, _, _ = emulated

    findings = check_topic(project)

    no_schema = ("schema", "missing, so the topic accepts any message", apply(project.project))
    assert not_ok(findings) == [no_schema]
    assert len(findings) == 6


def test_a_topic_that_is_not_there_is_wrong(
    emulated: tuple[Project, PublisherClient, SubscriberClient],
) -> None:
    project, publisher, _ = emulated
    publisher.delete_topic(topic=f"projects/{project.project}/topics/{project.topic}")

    findings = by_subject(check_topic(project))

    assert findings["topic seatlease-audit"].found == "missing, so no event is published"
    gone = findings["subscription seatlease-audit-bigquery"]
    assert gone.found == "its topic was deleted, so it receives nothing"


def test_a_subscription_that_is_not_there_is_wrong_and_so_is_a_topic_that_nobody_subscribes_to(
    emulated: tuple[Project, PublisherClient, SubscriberClient],
) -> None:
    project, _, subscriber = emulated
    name = f"projects/{project.project}/subscriptions/{project.subscription}"
    subscriber.delete_subscription(subscription=name)

    findings = by_subject(check_topic(project))

    missing = findings["subscription seatlease-audit-bigquery"]
    assert missing.found == "missing, so the audit trail does not reach BigQuery"
    assert findings["subscriptions"].found == "none, so published events are lost"
    assert {missing.mend, findings["subscriptions"].mend} == {apply(project.project)}


def test_a_dead_letter_topic_that_is_not_there_is_wrong(
    emulated: tuple[Project, PublisherClient, SubscriberClient],
) -> None:
    project, publisher, _ = emulated
    publisher.delete_topic(topic=f"projects/{project.project}/topics/{project.dead_letter_topic}")

    findings = by_subject(check_topic(project))

    assert findings["topic seatlease-audit-dead-letters"].found == "missing, so undeliverable messages are lost"


def test_dead_letters_that_nobody_keeps_are_wrong(
    emulated: tuple[Project, PublisherClient, SubscriberClient],
) -> None:
    project, _, subscriber = emulated
    name = f"projects/{project.project}/subscriptions/{project.dead_letter_topic}"
    subscriber.delete_subscription(subscription=name)

    finding = by_subject(check_topic(project))["topic seatlease-audit-dead-letters"]

    assert finding.found == "has no subscription, so undeliverable messages are lost"
    assert finding.mend is not None
    assert finding.mend.startswith("gcloud pubsub subscriptions create seatlease-audit-dead-letters ")


def test_dead_letters_stay_where_they_are_however_often_they_are_found(
    emulated: tuple[Project, PublisherClient, SubscriberClient],
) -> None:
    project, publisher, _ = emulated
    topic = f"projects/{project.project}/topics/{project.dead_letter_topic}"
    publisher.publish(topic=topic, messages=[PubsubMessage(data=b"{}")] * 2)

    found = [by_subject(check_topic(project))["dead letters in seatlease-audit-dead-letters"] for _ in range(2)]

    assert [finding.found for finding in found] == ["BigQuery did not accept 2 messages or more"] * 2
