"""The decorator of every function that Firestore's document events trigger.

A function takes only the document's path from an event and reads the document anew. So old, repeated and reordered
events do no harm, and the form of the event's body does not matter.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import wraps

import functions_framework.aio
from cloudevents.http import CloudEvent

from shared.edge.logs import RequestContext, current_request
from shared.edge.platform import prepare_instance

logger = logging.getLogger(__name__)

Handler = Callable[[str], Awaitable[None]]


def document_function(handler: Handler) -> functions_framework.aio.CloudEventFunction:
    """Register an async function of a document's path, relative to the database's root.

    If the function raises, the framework answers 500, and the platform delivers the event again. An event without a
    document is logged and ignored: a second delivery would have none either.
    """
    prepare_instance()

    @functions_framework.aio.cloud_event
    @wraps(handler)
    async def serve(event: CloudEvent) -> None:
        # Stays set when the handler fails: the framework logs the failure.
        current_request.set(RequestContext(request_id=str(event["id"]), function=handler.__name__))
        path = _text(event.get("document"))
        if path is None:
            logger.error("an event names no document; it is ignored", extra={"event_type": event["type"]})
            return
        await handler(path)

    return serve


def _text(header: object) -> str | None:
    """Read an attribute of an event that came as a header.

    Firestore sends ids that are not ASCII as bare UTF-8 bytes, and servers read headers as Latin-1.
    Source: an issue of firebase-functions-python about such a garbled id.
    """
    if not isinstance(header, str):
        return None
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header
