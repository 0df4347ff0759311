"""The audit topic on the Pub/Sub emulator, and a subscription that reads it with Google's client."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import pydantic_core
from google.api_core.exceptions import AlreadyExists, DeadlineExceeded, RetryError, ServiceUnavailable
from google.api_core.retry import Retry, if_exception_type
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.local.processes import StartError

TOPIC, SUBSCRIPTION = "seatlease-audit", "audit-trail"

_PATIENTLY = Retry(predicate=if_exception_type(ServiceUnavailable), initial=0.1, maximum=1, timeout=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One message as a subscriber gets it."""

    event: dict[str, Any]
    attributes: dict[str, str]
    ordering_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """A subscription to the audit topic."""

    client: SubscriberClient
    path: str

    def pull(self, *, timeout: float = 2, at_most: int = 1000) -> list[Received]:
        """Receive and acknowledge waiting messages, or those that arrive within ``timeout`` seconds.

        Raises:
            StartError: the emulator does not answer. Messages that were not acknowledged come again.
        """
        with _explained_errors():
            try:
                answer = self.client.pull(subscription=self.path, max_messages=at_most, timeout=timeout, retry=None)
            except DeadlineExceeded:
                return []
            if answer.received_messages:
                ack_ids = [message.ack_id for message in answer.received_messages]
                self.client.acknowledge(subscription=self.path, ack_ids=ack_ids)
        return [
            Received(
                event=pydantic_core.from_json(each.message.data),
                attributes=dict(each.message.attributes),
                ordering_key=each.message.ordering_key,
            )
            for each in answer.received_messages
        ]


@contextmanager
def _explained_errors() -> Iterator[None]:
    try:
        yield
    except (RetryError, ServiceUnavailable) as error:
        message = "the Pub/Sub emulator does not answer: check that make serve still runs"
        raise StartError(message) from error


def create_topic(pubsub_host: str, *, project: str, topic: str = TOPIC) -> str:
    """Create the topic unless it exists, and return its name."""
    with grpc.insecure_channel(pubsub_host) as channel:
        name = f"projects/{project}/topics/{topic}"
        with suppress(AlreadyExists):
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)).create_topic(name=name)
        return name


@contextmanager
def subscribed(
    pubsub_host: str, *, project: str, topic: str = TOPIC, subscription: str = SUBSCRIPTION
) -> Iterator[Subscription]:
    """Create an ordered subscription unless it exists. The subscription stays, and keeps collecting messages.

    Raises:
        StartError: the emulator does not answer.
    """
    with grpc.insecure_channel(pubsub_host) as channel:
        client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        name = f"projects/{project}/subscriptions/{subscription}"
        wanted = {
            "name": name,
            "topic": f"projects/{project}/topics/{topic}",
            "enable_message_ordering": True,
            "ack_deadline_seconds": 30,
        }
        with _explained_errors(), suppress(AlreadyExists):
            client.create_subscription(request=wanted, retry=_PATIENTLY, timeout=10)
        yield Subscription(client=client, path=name)
