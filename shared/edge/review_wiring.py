"""The part that the function review_admin_edit needs, made on first use."""

from functools import cache

from shared.admin.review import Reviews
from shared.edge.wiring import firestore, policy


@cache
def reviews() -> Reviews:
    """The one that looks at what admins edit."""
    return Reviews(firestore(), policy())
