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
    """A connection to one topic. Create it after the server has forked, inside the event loop that uses it."""

    def __init__(
        self, *, project: str, topic: str, emulator_host: str | None = None, publish_within: timedelta
    ) -> None:
        """Connect with the platform's credentials, or to the emulator at ``emulator_host``.

        ``publish_within`` is the timeout of one call of ``publish``, with all its retries.
        """
        self._topic = f"projects/{project}/topics/{topic}"
        self._seconds = publish_within.total_seconds()
        if emulator_host is None:
            self._client = PublisherAsyncClient()
        else:
            channel = grpc.aio.insecure_channel(emulator_host, options=_CHANNEL_OPTIONS)
            self._client = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))

    async def close(self) -> None:
        await self._client.transport.close()

    async def publish(self, messages: Sequence[AuditMessage]) -> None:
        """Publish at most 1,000 events of one organization, and wait until Pub/Sub has confirmed all of them.

        Raises:
            TopicUnavailable: Pub/Sub did not confirm. Some, all or none were published. A retry is safe.
            MessageRejected: Pub/Sub rejects at least one of the messages. None was published.
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
            # This includes a missing topic or permission: it affects every event, so none counts as rejected.
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
