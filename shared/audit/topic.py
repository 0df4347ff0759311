"""The Pub/Sub topic that the audit events go to."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import grpc
from google.api_core import exceptions
from google.api_core.retry_async import AsyncRetry, if_exception_type
from google.pubsub_v1.services.publisher import PublisherAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.types import PublishRequest, PubsubMessage
from pydantic_core import to_json

from shared.audit.message import AuditMessage
from shared.firestore.errors import MessageRejected, TopicUnavailable

_PASSING = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.RetryError,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)
_CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.min_reconnect_backoff_ms", 3_000),
]


class Topic:
    """A connection to one topic. Make it after the server has forked, inside the event loop that uses it."""

    def __init__(
        self, *, project: str, topic: str, emulator_host: str | None = None, publish_within: timedelta
    ) -> None:
        """Connect with the platform's credentials, or to the emulator at ``emulator_host``.

        ``publish_within`` bounds a call of ``publish``, with everything that is tried again in it.
        """
        self._topic = f"projects/{project}/topics/{topic}"
        self._seconds = publish_within.total_seconds()
        if emulator_host is None:
            self._client = PublisherAsyncClient()
        else:
            channel = grpc.aio.insecure_channel(emulator_host, options=_CHANNEL_OPTIONS)
            self._client = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))

    async def close(self) -> None:
        """Close the connection."""
        await self._client.transport.close()

    async def publish(self, messages: Sequence[AuditMessage]) -> None:
        """Publish events of one organization, 1,000 at most, and wait until Pub/Sub has confirmed all of them.

        Raises:
            TopicUnavailable: no confirmation, whatever the reason; some, all or none were published. Asking again is
                safe.
            MessageRejected: Pub/Sub refuses at least one of them as it is; none was published.
        """
        request = PublishRequest(topic=self._topic, messages=[_wire(message) for message in messages])
        retrying = AsyncRetry(
            predicate=if_exception_type(*_PASSING), initial=0.1, maximum=1, multiplier=2, timeout=self._seconds
        )
        try:
            async with asyncio.timeout(self._seconds):
                await self._client.publish(request, retry=retrying, timeout=self._seconds)
        except exceptions.InvalidArgument as error:
            raise MessageRejected(str(error)) from error
        except (exceptions.GoogleAPIError, TimeoutError) as error:
            # A topic that is not there, or a right that is missing, concerns every event, and somebody mends it.
            message = f"Pub/Sub did not confirm: {error!r}"
            raise TopicUnavailable(message) from error


def _wire(message: AuditMessage) -> PubsubMessage:
    return PubsubMessage(
        data=to_json(message),
        attributes={
            "event_id": message.event_id,
            "event_type": message.type,
            "organization_id": message.organization_id,
        },
        ordering_key=message.organization_id,
    )
