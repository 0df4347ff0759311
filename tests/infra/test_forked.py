"""A fork server starts functions faster, and otherwise as the console script does."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from infra.build.stage import ROOT, stage
from infra.local.forked import ForkServer, fork_server
from infra.local.loopback import NO_TLS
from infra.local.processes import Process, StartError
from infra.local.serving import function_environment, start_function
from tests.support.waiting import wait_until

ENVIRONMENT = function_environment(project="demo-test", firestore="127.0.0.1:1", pubsub="127.0.0.1:1")
STARTER = f"""
import sys, pathlib
sys.path.insert(0, {str(ROOT)!r})
from infra.local.forked import fork_server
from infra.local.serving import start_function
from tests.infra.test_forked import ENVIRONMENT
with fork_server() as forks:
    process = start_function("keys", work=pathlib.Path(sys.argv[1]), environment=ENVIRONMENT, forks=forks)
    process.wait_until_ready()
    print(process.popen.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def forks() -> Iterator[ForkServer]:
    with fork_server() as forks:
        yield forks


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return stage("keys", tmp_path / "staged")


def _start(forks: ForkServer, staged: Path) -> Process:
    return start_function("keys", work=staged.parent, environment=ENVIRONMENT, staged=staged, forks=forks)


def test_a_function_answers_pauses_and_ends_like_one_that_is_started_directly(forks: ForkServer, staged: Path) -> None:
    process = _start(forks, staged)
    process.wait_until_ready()

    with httpx.Client(verify=NO_TLS) as http:
        answered = http.get(process.url)
    process.signal(signal.SIGSTOP)
    running = process.popen.poll()
    statuses = process.stop(), process.stop()

    assert (answered.status_code, running, statuses) == (200, None, (0, 0))


def test_it_finds_its_modules_in_its_folder_only_and_its_last_words_are_in_its_log(
    forks: ForkServer, staged: Path
) -> None:
    (staged / "main.py").write_text("import shared.edge.settings\nimport infra\n")
    process = _start(forks, staged)

    with pytest.raises(StartError, match=r"keys ended with 1:(?s:.*)No module named 'infra'"):
        process.wait_until_ready()


def test_what_is_killed_tells_of_the_signal(forks: ForkServer, staged: Path) -> None:
    process = _start(forks, staged)

    process.signal(signal.SIGKILL)

    assert process.popen.wait(20) == -signal.SIGKILL
    with pytest.raises(subprocess.TimeoutExpired):
        _start(forks, staged).popen.wait(0)


def test_when_its_starter_is_killed_the_functions_end(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.kill()

    wait_until(lambda: not psutil.pid_exists(pid), within=20)
