"""How many workers run the tests, each with emulators and servers of its own."""

from collections.abc import Sequence
from pathlib import Path

MOST = 4
"""What a worker starts takes some two gigabytes."""


def workers_for(asked: Sequence[str], *, processors: int) -> int:
    """Give none for what is asked by file or test, because their start takes seconds, and for folders one a processor.

    Two at least: much of the tests' time is waiting.
    """
    if not any(Path(each).is_dir() for each in asked):
        return 0
    return min(max(processors, 2), MOST)
