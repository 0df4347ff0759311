"""The audit topic: it is there with its schema, its subscriptions take what is published, and nothing is left aside.

Pub/Sub itself does not tell how many messages wait (only Cloud Monitoring does, later). What it does tell is whether a
subscription can deliver at all, and what lies in the dead-letter topic's subscriptions: some of it is received here
and handed back at once, so it stays.
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
    BigQueryConfig.State.NOT_FOUND: "the table is not there",
    BigQueryConfig.State.SCHEMA_MISMATCH: "the table's columns are not those of the topic's schema",
    BigQueryConfig.State.IN_TRANSIT_LOCATION_RESTRICTION: "the table is outside the regions that the topic allows",
}


def check_topic(project: Project, *, with_bigquery: bool = True) -> list[Finding]:
    """Look at the topic, its schema, its subscriptions and its dead letters."""
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
        yield area.wrong(subject, "there is no such topic: no event is published", mend=project.apply)
        return
    yield area.ok(subject, "is there")
    yield (
        area.wrong("schema", "the topic has none: it takes anything", mend=project.apply)
        if not (topic.schema_settings.schema)
        else _schema(area, project, topic.schema_settings)
    )
    subscriptions = [
        each.rpartition("/")[2] for each in publisher.list_topic_subscriptions(request={"topic": name}, **_CALL)
    ]
    if subscriptions:
        yield area.ok("subscriptions", f"delivers to {', '.join(sorted(subscriptions))}")
    elif with_bigquery:
        yield area.wrong("subscriptions", "nobody subscribes: what is published is lost", mend=project.apply)
    else:
        yield area.ok("subscriptions", "nobody subscribes, and nobody is to")


def _schema(area: Area, project: Project, settings: Any) -> Finding:  # noqa: ANN401 Google's messages have no static type
    name = settings.schema.rpartition("/")[2]
    if settings.schema == "_deleted-schema_":
        return area.wrong("schema", "was deleted: publishing fails", mend=project.apply)
    if settings.encoding != Encoding.JSON:
        return area.wrong("schema", f"{name} is for {Encoding(settings.encoding).name}", mend=project.apply)
    # The schema's latest revision; Pub/Sub takes what any revision allows that the topic names.
    schema = project.client(SchemaServiceClient, "pubsub").get_schema(name=settings.schema, **_CALL)
    if schema.definition.strip() != (ROOT / "infra/contracts/audit-event.proto").read_text().strip():
        return area.wrong("schema", f"{name} is not what infra/contracts/audit-event.proto says", mend=project.apply)
    return area.ok("schema", f"{name} is infra/contracts/audit-event.proto")


def _look_at_subscription(area: Area, project: Project) -> Iterator[Finding]:
    subject = f"subscription {project.subscription}"
    name = f"projects/{project.project}/subscriptions/{project.subscription}"
    dead_letters = f"projects/{project.project}/topics/{project.dead_letter_topic}"
    try:
        subscription = project.client(SubscriberClient, "pubsub").get_subscription(subscription=name, **_CALL)
    except NotFound:
        yield area.wrong(
            subject, "there is no such subscription: the trail does not reach BigQuery", mend=project.apply
        )
        return
    if subscription.topic == _DELETED or subscription.detached:
        lost = "detached from its topic" if subscription.detached else "its topic was deleted"
        yield area.wrong(subject, f"{lost}: it receives nothing any more", mend=_make_again(project))
        return
    if not subscription.topic.endswith(f"/{project.topic}"):
        other = subscription.topic.rpartition("/")[2]
        yield area.wrong(subject, f"is one to another topic, {other}", mend=_make_again(project))
        return
    yield _delivery(area, project, subject, subscription)
    if subscription.dead_letter_policy.dead_letter_topic == dead_letters:
        yield area.ok(
            "dead-letter policy", f"after {subscription.dead_letter_policy.max_delivery_attempts} attempts set aside"
        )
    else:
        yield area.wrong(
            "dead-letter policy",
            f"what cannot be delivered is not set aside in {project.dead_letter_topic}",
            mend=project.apply,
        )


def _make_again(project: Project) -> str:
    delete = f"gcloud pubsub subscriptions delete {project.subscription} --project={project.project}"
    return f"{delete} && {project.apply}"


def _delivery(area: Area, project: Project, subject: str, subscription: Any) -> Finding:  # noqa: ANN401 as above
    state = subscription.bigquery_config.state
    if state in _NO_DELIVERY:
        return area.wrong(subject, f"a backlog grows: {_NO_DELIVERY[state]}", mend=project.apply)
    if subscription.state == Subscription.State.RESOURCE_ERROR:
        return area.wrong(subject, "a backlog grows: it cannot deliver", mend=project.apply)
    if not subscription.bigquery_config.table:
        return area.wrong(subject, "delivers to no table of BigQuery", mend=_make_again(project))
    return area.ok(subject, f"delivers to {subscription.bigquery_config.table}")


def _look_at_dead_letters(area: Area, project: Project) -> Iterator[Finding]:
    subject = f"topic {project.dead_letter_topic}"
    topic = f"projects/{project.project}/topics/{project.dead_letter_topic}"
    publisher = project.client(PublisherClient, "pubsub")
    try:
        publisher.get_topic(topic=topic, **_CALL)
    except NotFound:
        yield area.wrong(subject, "there is no such topic", mend=project.apply)
        return
    listed = list(publisher.list_topic_subscriptions(request={"topic": topic}, **_CALL))
    if not listed:
        yield area.wrong(
            subject,
            "nobody subscribes: what is set aside is lost",
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
        # Pub/Sub holds its answer back until there is a message, so silence is the answer that one hopes for.
        received = client.pull(request=asked, retry=None, timeout=RECEIVE_WITHIN_SECONDS).received_messages
    except (ReadTimeout, DeadlineExceeded):
        received = []
    if not received:
        return area.ok(subject, f"none came within {RECEIVE_WITHIN_SECONDS} s")
    ack_ids = [message.ack_id for message in received]
    client.modify_ack_deadline(subscription=subscription, ack_ids=ack_ids, ack_deadline_seconds=0, **_CALL)
    look = f"gcloud pubsub subscriptions pull {name} --limit=10 --project={project.project}"
    return area.wrong(subject, f"{len(received)} messages or more were not taken by BigQuery", mend=look)
