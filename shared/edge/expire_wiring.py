"""The part that the function expire_sessions needs, made on first use."""

from functools import cache

from shared.edge.settings import settings
from shared.edge.wiring import firestore, policy
from shared.seats.expire import Expiries


@cache
def expiries() -> Expiries:
    """The one that ends what has lapsed."""
    return Expiries(firestore(), policy(), run_within=settings().run_within)
