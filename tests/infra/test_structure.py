"""The rooms stay easy to enter: few levels in each, and few files on the way of one acquire."""

import subprocess
import sys

from infra.build.stage import ROOT
from tests.programs.structure.rooms import rooms

MOST_LEVELS = 4
MOST_FILES = 30


def test_no_room_has_more_than_four_levels_of_imports() -> None:
    deep = {room.name: room.chain for room in rooms() if room.levels > MOST_LEVELS}

    assert deep == {}


def test_one_granted_acquire_visits_at_most_30_files() -> None:
    code = (
        "from tests.programs.structure.trace import trace_acquire\n"
        "trace = trace_acquire(seats=20)\n"
        "print(trace.status, *trace.files)"
    )

    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    status, *files = ran.stdout.split()
    assert status == "201"
    assert {"functions/acquire/main.py", "shared/rules/acquire.py", "shared/firestore/client.py"} <= set(files)
    assert len(files) <= MOST_FILES, files
