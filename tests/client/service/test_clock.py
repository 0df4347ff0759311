"""The clock that a lease is measured by."""

import sys
import time
from pathlib import Path

import pytest

from seatlease._service.clock import elapsed


def test_the_clock_counts_seconds_and_never_goes_back() -> None:
    here, before = time.monotonic(), elapsed()
    readings = [elapsed() for _ in range(1000)]
    there, after = time.monotonic(), elapsed()

    assert readings == sorted(readings)
    assert before <= readings[0]
    assert after - before == pytest.approx(there - here, abs=0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="compared with Linux's own count")
def test_the_clock_counts_sleep_as_linux_counts_it_in_the_uptime() -> None:
    uptime = float(Path("/proc/uptime").read_text().split()[0])

    # /proc/uptime counts from the boot with suspended time, as CLOCK_BOOTTIME does and CLOCK_MONOTONIC does not.
    assert elapsed() == pytest.approx(uptime, abs=1)
