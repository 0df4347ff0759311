"""Percentiles of what was measured."""

import math
from collections.abc import Sequence


def percentile(ascending: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile, or ``None`` of nothing."""
    return ascending[math.ceil(len(ascending) * percent / 100) - 1] if ascending else None
