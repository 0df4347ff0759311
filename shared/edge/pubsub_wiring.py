"""Makes the parts that need Pub/Sub. They are in their own module because its client takes half a second to import."""

from functools import cache

from shared.audit.relay import Relays
from shared.audit.topic import Topic
from shared.edge.settings import settings
from shared.edge.wiring import firestore, policy
from shared.seats.reconcile import Reconciliations


@cache
def relays() -> Relays:
    """Publishes audit events. Half of a run's time is for events that were left behind."""
    run_within = settings().run_within / 2
    return Relays(firestore(), _topic(), answer_within=policy().answer_within, run_within=run_within)


@cache
def reconciliations() -> Reconciliations:
    """Repairs counters and ends sessions without a right. The other half of a run's time is for this."""
    return Reconciliations(firestore(), policy(), run_within=settings().run_within / 2)


@cache
def _topic() -> Topic:
    env = settings()
    return Topic(
        project=env.project,
        topic=env.audit_topic,
        emulator_host=env.pubsub_emulator_host,
        publish_within=env.publish_timeout,
    )
