"""The clock that measures leases: no user can set it, and it goes on while the machine sleeps.

A laptop that is opened again after an hour must know that its lease ran out. ``time.monotonic()`` does not tell: on
Linux and macOS it stops during sleep.

=======  ======================  =============================================================================
Linux    ``CLOCK_BOOTTIME``      clock_gettime(2): like CLOCK_MONOTONIC, and includes time of being suspended
macOS    ``CLOCK_MONOTONIC_RAW``  clock_gettime(3): goes on during sleep, unaffected by time adjustments
Windows  ``GetTickCount64``      "Windows Time" in Microsoft's reference: includes sleep and hibernation
=======  ======================  =============================================================================

macOS has two clocks that go on during sleep. Its manual does not say that setting the time leaves ``CLOCK_MONOTONIC``
alone, so the raw one is used. On Windows ``time.monotonic()`` is ``GetTickCount64`` only up to Python 3.12. Later
versions use the performance counter, and Microsoft does not say what sleep does to it.
"""

import sys
import time
from datetime import datetime, timezone


def now() -> datetime:
    """The machine's own clock, which its user can set: for what has to be known without a network."""
    return datetime.now(timezone.utc)


if sys.platform == "win32":
    import ctypes

    _ticks = ctypes.windll.kernel32.GetTickCount64
    _ticks.restype = ctypes.c_uint64  # without it the result is cut to 32 bits, some 50 days

    def elapsed() -> float:
        """Seconds since some instant in the past, sleep included. Only differences mean something."""
        return float(_ticks()) / 1000

else:
    if sys.platform == "darwin":
        _CLOCK = time.CLOCK_MONOTONIC_RAW
    elif sys.platform == "linux":
        _CLOCK = time.CLOCK_BOOTTIME
    else:
        # Other Unixes say less about sleep; theirs is at least one that nobody sets.
        _CLOCK = time.CLOCK_MONOTONIC

    def elapsed() -> float:
        """Seconds since some instant in the past, sleep included. Only differences mean something."""
        return time.clock_gettime(_CLOCK)
