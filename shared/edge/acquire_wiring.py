"""The part that the function acquire needs, made on first use."""

from functools import cache

from shared.edge.wiring import firestore, policy
from shared.seats.acquire import Acquires


@cache
def acquires() -> Acquires:
    """The one that takes seats."""
    return Acquires(firestore(), policy())
