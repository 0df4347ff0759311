"""A clock that is moved while a seat is held does not matter: libfaketime moves the program's."""

import time
from pathlib import Path

import libfaketime
import pytest

from tests.client.conftest import BuildBackend
from tests.client.hosts import Host

LIBRARY = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"


@pytest.mark.parametrize("moved", ["+3h", pytest.param("-3h", marks=pytest.mark.long)])
def test_a_clock_moved_by_hours_changes_nothing(build_real: BuildBackend, tmp_path: Path, moved: str) -> None:
    backend = build_real(seats=1, lease_seconds=3)
    clock = tmp_path / "clock"
    clock.write_text("+0")
    host = Host(
        backend.described("m0"),
        LD_PRELOAD=str(LIBRARY),
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    try:
        host.holds()
        before = host.obeys("what time is it")["now"]
        clock.write_text(moved)
        assert abs(host.obeys("what time is it")["now"] - before) > 3000  # the clock did move

        time.sleep(3.5)

        assert host.obeys("heartbeat")["state"] == "active"
        assert [event["type"] for event in backend.tenant.events()] == ["session.acquired"]
        host.tell("exit")
        assert (host.ends(), backend.in_use) == (0, 0)
    finally:
        host.stop()
