"""Reviews an admin's edit. It is called when an organization or a license is written, or a session is deleted."""

from functools import cache

from shared.admin.review import Reviews
from shared.edge.document_events import document_function
from shared.edge.wiring import firestore, policy


@cache
def reviews() -> Reviews:
    return Reviews(firestore(), policy())


@document_function
async def review_admin_edit(path: str) -> None:
    """Review the document at this path. After an error the platform delivers the event again."""
    await reviews().review(path)
