"""How long tests with random input run."""

from hypothesis import settings

LONG = "long"
"""The Hypothesis profile for long runs. ``make test`` does not use it."""


def is_long() -> bool:
    """Whether the long profile was asked for."""
    return settings.get_current_profile_name() == LONG
