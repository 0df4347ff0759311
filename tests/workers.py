"""How many workers run the tests, which files one of them runs together, and which files come first."""

from collections.abc import Sequence
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

MOST = 4
"""What a worker starts takes some two gigabytes."""

TOGETHER = (
    "tests/infra/test_admin_guide.py",
    "tests/infra/test_auth_emulator.py",
    "tests/infra/test_demo.py",
    "tests/infra/test_doctor.py",
    "tests/infra/test_doctor_canary.py",
    "tests/infra/test_doctor_token.py",
    "tests/infra/test_local_stack.py",
    "tests/infra/test_personal_data_page.py",
    "tests/portal/test_cli.py",
    "tests/portal/test_history.py",
    "tests/portal/test_page.py",
)
"""Files that need the whole local stack. One worker runs them all, so that one stack is started."""

FIRST = (
    "tests/programs/faults/test_proof.py",
    *TOGETHER,
    "tests/interleavings/test_every_way.py",
)
"""Files that take long: the other worker has enough to do beside them."""


def workers_for(asked: Sequence[str], *, processors: int) -> int:
    """Give none for files and single tests, because a worker's start takes seconds. For folders give one more
    than there are processors, because some of the tests' time is waiting.
    """
    if not any(Path(each).is_dir() for each in asked):
        return 0
    return min(processors + 1, MOST)


def turn_of(nodeid: str) -> int:
    """Say when a test comes: those of the files in ``FIRST`` in that order, all others after them as they stand."""
    file = _file_of(nodeid)
    return FIRST.index(file) if file in FIRST else len(FIRST)


class ByFile(LoadFileScheduling):
    """Gives whole files to workers, and the files of ``TOGETHER`` to one."""

    def _split_scope(self, nodeid: str) -> str:
        file = _file_of(nodeid)
        return "the local stack" if file in TOGETHER else file


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]
