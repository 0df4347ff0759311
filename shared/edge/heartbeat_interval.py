"""The heartbeats' interval, as clients are told it."""

import random
from datetime import datetime

from shared.rules.license import HEARTBEATS_PER_LEASE


def heartbeat_interval_seconds(lease_expires_at: datetime, *, now: datetime) -> int:
    """Tell a client when to come back: after a third of its lease or up to a tenth sooner, so that clients spread out.

    Never later: when two heartbeats in a row are lost, the third still falls within the lease.
    """
    longest = (lease_expires_at - now).total_seconds() / HEARTBEATS_PER_LEASE
    return max(1, int(longest * random.uniform(0.9, 1.0)))  # noqa: S311 spreading load, no secret
