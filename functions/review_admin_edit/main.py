"""Called when an organization or a license is written, and when a session is deleted: look at what an admin did."""

from shared.edge.document_events import document_function
from shared.edge.review_wiring import reviews


@document_function
async def review_admin_edit(path: str) -> None:
    """Review the document at this path. A failure makes the platform deliver the event again."""
    await reviews().review(path)
