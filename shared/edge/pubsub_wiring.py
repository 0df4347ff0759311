"""Makes the relay, which needs Pub/Sub. It is in its own module because that client takes half a second to import."""

from functools import cache

from shared.audit.relay import Relays
from shared.audit.topic import Topic
from shared.edge.settings import settings
from shared.edge.wiring import firestore, policy


@cache
def relays() -> Relays:
    """Publishes audit events. Half of a run's time is for this."""
    run_within = settings().run_within / 2
    return Relays(firestore(), _topic(), answer_within=policy().answer_within, run_within=run_within)


@cache
def _topic() -> Topic:
    env = settings()
    return Topic(
        project=env.project,
        topic=env.audit_topic,
        emulator_host=env.pubsub_emulator_host,
        publish_within=env.publish_timeout,
    )
