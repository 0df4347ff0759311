"""Called when an organization or a license is written, and when a session is deleted: look at what an admin did."""

from functools import cache

from shared.admin.review import Reviews
from shared.edge.document_events import document_function
from shared.edge.wiring import firestore, policy


@cache
def reviews() -> Reviews:
    return Reviews(firestore(), policy())


@document_function
async def review_admin_edit(path: str) -> None:
    """Review the document at this path. A failure makes the platform deliver the event again."""
    await reviews().review(path)
