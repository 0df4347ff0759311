"""Called when an audit event is created: publish it to the topic."""

from shared.edge.document_events import document_function
from shared.edge.pubsub_wiring import relays


@document_function
async def relay_audit(path: str) -> None:
    """Publish the audit event at this path. A failure makes the platform deliver the event again."""
    await relays().relay(path)
