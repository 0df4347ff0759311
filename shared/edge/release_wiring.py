"""The part that the function release needs, made on first use."""

from functools import cache

from shared.edge.wiring import firestore, policy
from shared.seats.release import Releases


@cache
def releases() -> Releases:
    """The one that takes them back."""
    return Releases(firestore(), policy())
