"""What Linux tells of processes."""

import subprocess
import sys

import pytest

from tests.programs.bench import proc

MUCH = 50_000_000
HOLDS_MUCH = f"held = bytes({MUCH}).replace(b'\\0', b'x'); print('ready', flush=True); input()"


@pytest.mark.skipif(not proc.is_there(), reason="only Linux has /proc")
def test_the_memory_of_a_program_is_found_by_its_session() -> None:
    command = [sys.executable, "-c", HOLDS_MUCH]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()

        resident = sum(each.resident_bytes for each in proc.used() if each.session == program.pid)

        program.communicate("\n")
    assert MUCH < resident < 3 * MUCH
