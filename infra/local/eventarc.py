"""A local Eventarc: delivers the Firestore emulator's document events to functions as the platform does.

The emulator sends each event once, in the old JSON form. Functions get a CloudEvent in HTTP's binary mode with a
protobuf body. Each delivery is repeated after a growing pause until the function answers with success. So a function
gets each event at least once, in any order.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import httpx
from google.api_core.exceptions import RetryError
from google.api_core.retry_async import AsyncRetry, if_exception_type
from google.events.cloud.firestore_v1 import DocumentEventData
from google.protobuf import json_format

logger = logging.getLogger(__name__)

MAX_DELIVERIES = 8
"""Deliveries at a time: about as many as one instance of a function takes."""

KEEP_TRYING_SECONDS = 600
"""The platform retries for a day. A local stack gives up sooner."""

END_WITHIN_SECONDS = 5
"""When the stack stops, running deliveries get this long to finish. Then they are cut off."""

_EVENT_TYPE = "google.cloud.firestore.document.v1."
_KINDS = {"create": "created", "update": "updated", "delete": "deleted", "write": "written"}
_NAME = re.compile(r"projects/(?P<project>[^/]+)/databases/(?P<database>[^/]+)/documents/(?P<document>.+)", re.DOTALL)
_NO_HEADER = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Characters that no header can hold: control characters, and halves of surrogate pairs."""


class MalformedEventError(Exception):
    """The request is not a document event of the emulator."""


class _NotTakenError(Exception):
    """The function did not answer with success."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A document event as a CloudEvent: its headers, and its protobuf body."""

    headers: Mapping[bytes, bytes]
    body: bytes


def as_cloud_event(emulated: Any) -> Event:  # noqa: ANN401 what somebody posted
    """Put an event of the emulator into the form that functions get from the platform.

    Raises:
        MalformedEventError: it is not a document event of the emulator.
    """
    try:
        context, data = emulated["context"], {**emulated["data"]}
        named = _NAME.fullmatch(context["resource"]["name"])
        kind = _KINDS[context["eventType"].rpartition(".")[2]]
        body = json_format.ParseDict(data, DocumentEventData.pb()())
        event_id, time = context["eventId"], context["timestamp"]
    except (KeyError, TypeError, ValueError, AttributeError, json_format.ParseError) as error:
        message = f"not an event of the Firestore emulator: {error!r}"
        raise MalformedEventError(message) from error
    if named is None:
        message = f"not a document: {context['resource']['name']!r}"
        raise MalformedEventError(message)
    attributes = {
        "id": event_id,
        "source": f"//firestore.googleapis.com/projects/{named['project']}/databases/{named['database']}",
        "type": _EVENT_TYPE + kind,
        "specversion": "1.0",
        "time": time,
        "subject": f"documents/{named['document']}",
        "project": named["project"],
        "database": named["database"],
        "namespace": "(default)",
        "document": named["document"],
        "location": "nam5",
    }
    for name, value in attributes.items():
        if not isinstance(value, str) or _NO_HEADER.search(value):
            message = f"{name} cannot be a header: {value!r}"
            raise MalformedEventError(message)
    # Plain UTF-8 as Firestore sends it, not percent-encoded. An id may end with a blank, but HTTP takes blanks around a
    # header's value off. Source: RFC 9110, section 5.5.
    headers = {f"ce-{name}".encode(): value.strip(" ").encode() for name, value in attributes.items()}
    return Event(headers={**headers, b"content-type": b"application/protobuf"}, body=body.SerializeToString())


class Eventarc:
    """The running deliveries, as a context manager inside the client's. Events undelivered at its end are lost."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._room = asyncio.Semaphore(MAX_DELIVERIES)
        self._deliveries: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every delivery, and return when no delivery uses the client any more."""
        # A running delivery holds a slot. When this method holds all slots, none runs and none can start.
        with suppress(TimeoutError):
            async with asyncio.timeout(END_WITHIN_SECONDS):
                for _each in range(MAX_DELIVERIES):
                    await self._room.acquire()
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)

    def deliver(self, event: Event, url: str) -> None:
        """Deliver the event to the function at this address, with retries, in the background."""
        task = asyncio.create_task(self._deliver(event, url))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _deliver(self, event: Event, url: str) -> None:
        retrying = AsyncRetry(
            predicate=if_exception_type(_NotTakenError), initial=0.2, maximum=5, timeout=KEEP_TRYING_SECONDS
        )
        try:
            await retrying(self._try)(event, url)
        except RetryError:
            logger.exception(
                "gave up: the function did not accept the event of %s", event.headers[b"ce-document"].decode()
            )

    async def _try(self, event: Event, url: str) -> None:
        async with self._room:
            try:
                answer = await self._client.post(url, headers=event.headers, content=event.body)
            except httpx.TransportError as error:
                raise _NotTakenError from error
        if not answer.is_success:
            message = f"answered {answer.status_code}"
            raise _NotTakenError(message)
