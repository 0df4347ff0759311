"""The part that the function usage needs, made on first use."""

from functools import cache

from shared.edge.wiring import firestore, policy
from shared.seats.usage import Usages


@cache
def usages() -> Usages:
    """The one that says who holds them."""
    return Usages(firestore(), policy())
