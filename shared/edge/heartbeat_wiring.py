"""The part that the function heartbeat needs, made on first use."""

from functools import cache

from shared.edge.wiring import firestore, policy
from shared.seats.heartbeat import Heartbeats


@cache
def heartbeats() -> Heartbeats:
    """The one that keeps them."""
    return Heartbeats(firestore(), policy())
