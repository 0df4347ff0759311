"""Shrinking: what is left still shows what was wrong, and nothing can be left out of it."""

import time
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.programs.faults.shrinking import smallest


@given(st.sets(st.integers(0, 60), max_size=5), st.integers(1, 60))
def test_only_what_is_needed_is_left(needed: set[int], size: int) -> None:
    parts = list(range(size))
    needed &= set(parts)

    left = smallest(parts, lambda kept: needed <= set(kept), deadline=time.monotonic() + 10)

    assert set(left) == needed


def test_when_the_time_is_up_what_is_left_still_shows_it() -> None:
    def holds(kept: Sequence[int]) -> bool:
        return 7 in kept

    assert holds(smallest(list(range(100)), holds, deadline=time.monotonic() - 1))
