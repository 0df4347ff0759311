"""How long tests with random input run: briefly in ``make test``, longer in ``make test-long`` and ``make fuzz``."""

import os

from hypothesis import settings

LONG = "long"
"""The Hypothesis profile for long runs. ``make test`` does not use it."""

IN_THE_GATE = 10
"""Random examples of each fuzzer in ``make test``: the same ones each time."""


def is_long() -> bool:
    """Whether the long profile was asked for."""
    return settings.get_current_profile_name() == LONG


def is_fuzzing() -> bool:
    """Whether ``make fuzz`` runs the test, with a seed of its own."""
    return "FUZZ_SEED" in os.environ


def fuzzed(examples: int) -> settings:
    """So many examples in ``make fuzz`` and ``make test-long``; in the gate a few, derandomized."""
    if is_fuzzing() or is_long():
        return settings(max_examples=examples)
    return settings(max_examples=min(examples, IN_THE_GATE), derandomize=True)
