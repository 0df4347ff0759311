"""How long tests look that could look for ever."""

from hypothesis import settings

LONG = "long"
"""The profile of Hypothesis for whoever has the time; ``make test`` has not."""


def is_long() -> bool:
    """Whether the long profile was asked for."""
    return settings.get_current_profile_name() == LONG
