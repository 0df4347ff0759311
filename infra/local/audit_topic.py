"""The audit topic on the Pub/Sub emulator, and a subscription to read it with Google's own client."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import pydantic_core
from google.api_core.exceptions import AlreadyExists, DeadlineExceeded
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

TOPIC, SUBSCRIPTION = "seatlease-audit", "audit-trail"


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One message as a subscriber gets it: the event, its attributes, and its ordering key."""

    event: dict[str, Any]
    attributes: dict[str, str]
    ordering_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """A subscription to the audit topic."""

    client: SubscriberClient
    path: str

    def pull(self, *, timeout: float = 2, at_most: int = 1000) -> list[Received]:
        """Receive what is there, or what comes within ``timeout`` seconds, and acknowledge it."""
        try:
            answer = self.client.pull(subscription=self.path, max_messages=at_most, timeout=timeout, retry=None)
        except DeadlineExceeded:
            return []
        if not answer.received_messages:
            return []
        self.client.acknowledge(
            subscription=self.path, ack_ids=[message.ack_id for message in answer.received_messages]
        )
        return [
            Received(
                event=pydantic_core.from_json(each.message.data),
                attributes=dict(each.message.attributes),
                ordering_key=each.message.ordering_key,
            )
            for each in answer.received_messages
        ]


def create_topic(pubsub_host: str, *, project: str, topic: str = TOPIC) -> str:
    """Create the topic unless it is there, and return its name."""
    with grpc.insecure_channel(pubsub_host) as channel:
        name = f"projects/{project}/topics/{topic}"
        with suppress(AlreadyExists):
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)).create_topic(name=name)
        return name


@contextmanager
def subscribed(
    pubsub_host: str, *, project: str, topic: str = TOPIC, subscription: str = SUBSCRIPTION
) -> Iterator[Subscription]:
    """Create an ordered subscription unless it is there, and read it. It is left there, with what comes meanwhile."""
    with grpc.insecure_channel(pubsub_host) as channel:
        client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        name = f"projects/{project}/subscriptions/{subscription}"
        wanted = {
            "name": name,
            "topic": f"projects/{project}/topics/{topic}",
            "enable_message_ordering": True,
            "ack_deadline_seconds": 30,
        }
        with suppress(AlreadyExists):
            client.create_subscription(request=wanted)
        yield Subscription(client=client, path=name)
