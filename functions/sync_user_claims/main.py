"""Called when a user's document is written: make the claims of the user's tokens say what it says."""

from shared.edge.claims_wiring import user_claims
from shared.edge.document_events import document_function


@document_function
async def sync_user_claims(path: str) -> None:
    """Keep the claims of the user at this path. A failure makes the platform deliver the event again."""
    await user_claims().sync(path)
