"""Check the audit topic: its schema, its subscriptions, and that there are no dead letters.

Pub/Sub does not tell how many messages wait; only Cloud Monitoring does, with a delay. Pub/Sub does tell whether a
subscription can deliver. For dead letters the doctor receives some messages and hands them back at once, so they stay.
"""

from collections.abc import Iterator
from typing import Any

from google.api_core.exceptions import DeadlineExceeded, NotFound
from google.pubsub_v1 import (
    BigQueryConfig,
    Encoding,
    PublisherClient,
    SchemaServiceClient,
    SubscriberClient,
    Subscription,
)
from requests import ReadTimeout

from infra.build.stage import ROOT
from infra.doctor.finding import Area, Finding
from infra.doctor.project import ANSWER_WITHIN_SECONDS, Project

AT_MOST_RECEIVED = 100

RECEIVE_WITHIN_SECONDS = 3

_DELETED = "_deleted-topic_"
_CALL: dict[str, Any] = {"retry": None, "timeout": ANSWER_WITHIN_SECONDS}

_NO_DELIVERY = {
    BigQueryConfig.State.PERMISSION_DENIED: "Pub/Sub's service agent may not write into the table",
    BigQueryConfig.State.NOT_FOUND: "the table does not exist",
    BigQueryConfig.State.SCHEMA_MISMATCH: "the table's columns do not match the topic's schema",
    BigQueryConfig.State.IN_TRANSIT_LOCATION_RESTRICTION: "the table is outside the topic's allowed regions",
}


def check_topic(project: Project, *, with_bigquery: bool = True) -> list[Finding]:
    area = Area(name="topic", api="pubsub.googleapis.com", role="roles/pubsub.viewer", project=project.project)
    dead = Area(name="topic", api="pubsub.googleapis.com", role="roles/pubsub.subscriber", project=project.project)
    findings = area.ask(
        f"topic {project.topic}", lambda: list(_look_at_topic(area, project, with_bigquery=with_bigquery))
    )
    if with_bigquery:
        name = f"subscription {project.subscription}"
        findings += area.ask(name, lambda: list(_look_at_subscription(area, project)))
    return [*findings, *dead.ask("dead letters", lambda: list(_look_at_dead_letters(dead, project)))]


def _look_at_topic(area: Area, project: Project, *, with_bigquery: bool) -> Iterator[Finding]:
    subject = f"topic {project.topic}"
    name = f"projects/{project.project}/topics/{project.topic}"
    publisher = project.client(PublisherClient, "pubsub")
    try:
        topic = publisher.get_topic(topic=name, **_CALL)
    except NotFound:
        yield area.wrong(subject, "missing, so no event is published", mend=project.apply)
        return
    yield area.ok(subject, "exists")
    yield (
        area.wrong("schema", "missing, so the topic accepts any message", mend=project.apply)
        if not (topic.schema_settings.schema)
        else _schema(area, project, topic.schema_settings)
    )
    subscriptions = [
        each.rpartition("/")[2] for each in publisher.list_topic_subscriptions(request={"topic": name}, **_CALL)
    ]
    if subscriptions:
        yield area.ok("subscriptions", f"delivers to {', '.join(sorted(subscriptions))}")
    elif with_bigquery:
        yield area.wrong("subscriptions", "none, so published events are lost", mend=project.apply)
    else:
        yield area.ok("subscriptions", "none, as this environment does not use BigQuery")


def _schema(area: Area, project: Project, settings: Any) -> Finding:  # noqa: ANN401 Google's messages have no static type
    name = settings.schema.rpartition("/")[2]
    if settings.schema == "_deleted-schema_":
        return area.wrong("schema", "was deleted, so publishing fails", mend=project.apply)
    if settings.encoding != Encoding.JSON:
        encoding = Encoding(settings.encoding).name
        return area.wrong("schema", f"{name} has the encoding {encoding}, not JSON", mend=project.apply)
    # This is the schema's latest revision. Pub/Sub accepts messages that fit any revision that the topic names.
    schema = project.client(SchemaServiceClient, "pubsub").get_schema(name=settings.schema, **_CALL)
    if schema.definition.strip() != (ROOT / "infra/contracts/audit-event.proto").read_text().strip():
        return area.wrong("schema", f"{name} differs from infra/contracts/audit-event.proto", mend=project.apply)
    return area.ok("schema", f"{name} is the same as infra/contracts/audit-event.proto")


def _look_at_subscription(area: Area, project: Project) -> Iterator[Finding]:
    subject = f"subscription {project.subscription}"
    name = f"projects/{project.project}/subscriptions/{project.subscription}"
    dead_letters = f"projects/{project.project}/topics/{project.dead_letter_topic}"
    try:
        subscription = project.client(SubscriberClient, "pubsub").get_subscription(subscription=name, **_CALL)
    except NotFound:
        yield area.wrong(subject, "missing, so the audit trail does not reach BigQuery", mend=project.apply)
        return
    if subscription.topic == _DELETED or subscription.detached:
        lost = "is detached from its topic" if subscription.detached else "its topic was deleted"
        yield area.wrong(subject, f"{lost}, so it receives nothing", mend=_make_again(project))
        return
    if not subscription.topic.endswith(f"/{project.topic}"):
        other = subscription.topic.rpartition("/")[2]
        yield area.wrong(subject, f"subscribes to another topic, {other}", mend=_make_again(project))
        return
    yield _delivery(area, project, subject, subscription)
    if subscription.dead_letter_policy.dead_letter_topic == dead_letters:
        yield area.ok("dead-letter policy", f"after {subscription.dead_letter_policy.max_delivery_attempts} attempts")
    else:
        yield area.wrong(
            "dead-letter policy",
            f"undeliverable messages do not go to {project.dead_letter_topic}",
            mend=project.apply,
        )


def _make_again(project: Project) -> str:
    delete = f"gcloud pubsub subscriptions delete {project.subscription} --project={project.project}"
    return f"{delete} && {project.apply}"


def _delivery(area: Area, project: Project, subject: str, subscription: Any) -> Finding:  # noqa: ANN401 as above
    state = subscription.bigquery_config.state
    if state in _NO_DELIVERY:
        return area.wrong(subject, f"cannot deliver, so messages pile up: {_NO_DELIVERY[state]}", mend=project.apply)
    if subscription.state == Subscription.State.RESOURCE_ERROR:
        return area.wrong(subject, "cannot deliver, so messages pile up", mend=project.apply)
    if not subscription.bigquery_config.table:
        return area.wrong(subject, "does not deliver to a BigQuery table", mend=_make_again(project))
    return area.ok(subject, f"delivers to {subscription.bigquery_config.table}")


def _look_at_dead_letters(area: Area, project: Project) -> Iterator[Finding]:
    subject = f"topic {project.dead_letter_topic}"
    topic = f"projects/{project.project}/topics/{project.dead_letter_topic}"
    publisher = project.client(PublisherClient, "pubsub")
    try:
        publisher.get_topic(topic=topic, **_CALL)
    except NotFound:
        yield area.wrong(subject, "missing, so undeliverable messages are lost", mend=project.apply)
        return
    listed = list(publisher.list_topic_subscriptions(request={"topic": topic}, **_CALL))
    if not listed:
        yield area.wrong(
            subject,
            "has no subscription, so undeliverable messages are lost",
            mend=f"gcloud pubsub subscriptions create {project.dead_letter_topic} --topic={project.dead_letter_topic} "
            f"--expiration-period=never --message-retention-duration=31d --project={project.project}",
        )
    for subscription in listed:
        yield _dead_letters(area, project, subscription)


def _dead_letters(area: Area, project: Project, subscription: str) -> Finding:
    client = project.client(SubscriberClient, "pubsub")
    name = subscription.rpartition("/")[2]
    subject = f"dead letters in {name}"
    asked = {"subscription": subscription, "max_messages": AT_MOST_RECEIVED}
    try:
        # Pub/Sub delays its answer until there is a message. So a timeout means that there is none.
        received = client.pull(request=asked, retry=None, timeout=RECEIVE_WITHIN_SECONDS).received_messages
    except (ReadTimeout, DeadlineExceeded):
        received = []
    if not received:
        return area.ok(subject, f"none within {RECEIVE_WITHIN_SECONDS} s")
    ack_ids = [message.ack_id for message in received]
    client.modify_ack_deadline(subscription=subscription, ack_ids=ack_ids, ack_deadline_seconds=0, **_CALL)
    look = f"gcloud pubsub subscriptions pull {name} --limit=10 --project={project.project}"
    return area.wrong(subject, f"BigQuery did not accept {len(received)} messages or more", mend=look)
