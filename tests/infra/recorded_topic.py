"""A topic that delivers, with its schema, its BigQuery subscription and no dead letters, from the recordings."""

from typing import Any

from infra.build.stage import ROOT
from tests.infra.recorded_api import RecordedApi, recorded

PROJECT = "/v1/projects/demo-seatlease"
TOPIC = f"GET {PROJECT}/topics/seatlease-audit"
SCHEMA = f"GET {PROJECT}/schemas/seatlease-audit-event"
SUBSCRIPTION = f"GET {PROJECT}/subscriptions/seatlease-audit-bigquery"
DEAD_LETTERS = f"GET {PROJECT}/topics/seatlease-audit-dead-letters"
PULL = f"POST {PROJECT}/subscriptions/seatlease-audit-dead-letters:pull"
HAND_BACK = f"POST {PROJECT}/subscriptions/seatlease-audit-dead-letters:modifyAckDeadline"


def schema(definition: str) -> Any:  # noqa: ANN401 JSON
    return {**recorded("schema"), "definition": definition}


def say_topic(api: RecordedApi) -> None:
    """Answer as Pub/Sub does about that topic."""
    api.say(TOPIC, recorded("topic"))
    api.say(f"{TOPIC}/subscriptions", recorded("topic_subscriptions"))
    api.say(SCHEMA, schema((ROOT / "infra/contracts/audit-event.proto").read_text()))
    api.say(SUBSCRIPTION, recorded("subscription"))
    api.say(DEAD_LETTERS, {"name": "projects/demo-seatlease/topics/seatlease-audit-dead-letters"})
    dead = "projects/demo-seatlease/subscriptions/seatlease-audit-dead-letters"
    api.say(f"{DEAD_LETTERS}/subscriptions", {"subscriptions": [dead]})
    api.say(PULL, recorded("pull_nothing"))
    api.say(HAND_BACK, {})
