"""Publishes an audit event to the topic. It is called when an audit event is created."""

from shared.edge.document_events import document_function
from shared.edge.pubsub_wiring import relays


@document_function
async def relay_audit(path: str) -> None:
    """Publish the audit event at this path. After an error the platform delivers the event again."""
    await relays().relay(path)
