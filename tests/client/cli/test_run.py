"""``seatlease run``: the program's start, its end, and its signals. Real processes on the real stack."""

import ctypes
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.client.backends import RealBackend
from tests.client.commands import command, end, environment_of, run, run_apart, start, stop
from tests.client.conftest import BuildBackend, StartScript
from tests.client.hosts import CLIENT
from tests.support.waiting import wait_until

_TAKE_ORPHANS = """
import ctypes, os, sys
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Orphans below become children of the program that it starts, as they do of process number 1. It needs no right."""

_KEEP_THE_LOCK = """
import ctypes
ctypes.PyDLL(None).sleep(600)
"""
"""No thread of this program runs until a signal ends it."""


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=1)


@pytest.fixture(autouse=True)
def _hanging_up_is_heard() -> Iterator[None]:
    """Have programs hear SIGHUP also where the tests run under ``nohup``, whose ignoring they would inherit."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137)])
def test_the_programs_status_is_ours(backend: RealBackend, script: str, status: int) -> None:
    ended = run_apart("run", "--", "sh", "-c", script, environment=environment_of(backend))

    assert (ended.returncode, ended.stdout, ended.stderr) == (status, "", "")
    assert [session["end_reason"] for session in backend.tenant.sessions()] == ["released"]


def test_the_standard_streams_are_the_programs(backend: RealBackend) -> None:
    ended = run_apart(
        "run", "sh", "-c", "cat; echo oops >&2", environment=environment_of(backend), told="from the caller"
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "from the caller", "oops\n")


def test_the_program_knows_its_session_and_what_was_sold_and_no_secret(backend: RealBackend) -> None:
    sold = {"pro": True, "layers": 16, "edition": "Größe \x01"}
    backend.tenant.license().update({"features": sold})

    ended = run_apart("run", "env", environment=environment_of(backend, SEATLEASE_REFRESH_TOKEN="r-secret"))

    shown = dict(line.split("=", 1) for line in ended.stdout.splitlines() if line.startswith("SEATLEASE_"))
    assert shown["SEATLEASE_SESSION_ID"] == backend.tenant.organization.collection("sessions").get()[0].id
    assert shown["SEATLEASE_LICENSE_KEY"] == backend.tenant.license_key
    assert json.loads(shown["SEATLEASE_FEATURES"]) == sold
    assert not {"SEATLEASE_ID_TOKEN", "SEATLEASE_REFRESH_TOKEN"} & set(shown)


def test_files_that_were_opened_for_the_program_reach_it(backend: RealBackend) -> None:
    reading, writing = os.pipe()
    words = command("run", "--", sys.executable, "-c", f"import os; os.write({writing}, b'through')")

    subprocess.run(words, env=environment_of(backend), pass_fds=[writing], check=True, timeout=30)

    os.close(writing)
    with os.fdopen(reading) as came:
        assert came.read() == "through"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_reaches_the_program_and_its_end_gives_the_seat_back(
    backend: RealBackend, run_program: StartScript, number: signal.Signals
) -> None:
    process = run_program(f"trap 'echo heard; exit 5' {number.name[3:]}; echo runs; while :; do sleep 0.05; done")
    assert backend.in_use == 1

    process.send_signal(number)

    assert end(process)[:2] == (5, "heard\n")
    assert backend.in_use == 0


def test_a_signal_that_another_thread_of_the_wrapper_takes_reaches_the_program_too(
    backend: RealBackend, run_program: StartScript
) -> None:
    process = run_program("trap 'echo heard; exit 5' TERM; echo runs; while :; do sleep 0.05; done")
    threads = {int(entry.name) for entry in Path(f"/proc/{process.pid}/task").iterdir()} - {process.pid}

    # It interrupts nothing in the main thread, as one does not that comes just before the main thread begins to wait.
    assert ctypes.CDLL(None).tgkill(process.pid, min(threads), signal.SIGTERM) == 0

    assert end(process)[:2] == (5, "heard\n")
    assert backend.in_use == 0


def test_signals_for_the_programs_own_use_reach_it(backend: RealBackend, run_program: StartScript) -> None:
    process = run_program("trap 'echo one' USR1; trap 'echo two; exit 0' USR2; echo runs; while :; do sleep 0.05; done")
    assert process.stdout is not None

    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline() == "one\n"
    process.send_signal(signal.SIGUSR2)

    assert end(process)[:2] == (0, "two\n")
    assert backend.in_use == 0


def test_a_program_that_a_signal_ends_gives_the_status_of_shells(
    backend: RealBackend, run_program: StartScript
) -> None:
    process = run_program("echo runs; exec sleep 60")

    process.send_signal(signal.SIGTERM)

    assert end(process) == (128 + signal.SIGTERM, "", "")
    assert backend.in_use == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to another process than number 1")
def test_processes_that_the_program_leaves_behind_are_waited_for_as_process_number_1_must(
    backend: RealBackend,
) -> None:
    leave_behind = "i=0; while [ $i -lt 20 ]; do (sh -c 'echo $$; exec sleep 0.2' &); i=$((i+1)); done"
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE_ORPHANS, *command("run", "--", "sh", "-c", f"{leave_behind}; read -r line")],
        env=environment_of(backend),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with ExitStack() as cleanup:
        cleanup.callback(stop, process)
        assert process.stdout is not None
        orphans = [int(process.stdout.readline()) for _ in range(20)]

        wait_until(lambda: not any(map(psutil.pid_exists, orphans)), within=30)

        assert process.poll() is None
        process.communicate("go on\n", timeout=30)
        assert (process.returncode, backend.in_use) == (0, 0)


@pytest.mark.long
def test_a_program_that_keeps_the_interpreters_lock_keeps_its_seat(
    backend: RealBackend, run_program: StartScript
) -> None:
    backend.tenant.license().update({"lease_seconds": 12})
    run_program(f"echo runs; exec {shlex.join([sys.executable, '-c', _KEEP_THE_LOCK])}")
    session = backend.tenant.organization.collection("sessions").get()[0].reference
    since = datetime.now(UTC)

    wait_until(lambda: bool(session.get().get("last_heartbeat_at") > since), within=60)

    assert backend.in_use == 1


def test_what_the_caller_ignores_stays_ignored(backend: RealBackend) -> None:
    script = f"trap '' HUP; exec {' '.join(command('run', '--', 'sh', '-c'))} 'kill -HUP $$; echo goes on'"

    ended = subprocess.run(
        ["/bin/sh", "-c", script], env=environment_of(backend), capture_output=True, text=True, timeout=30, check=False
    )

    assert (ended.returncode, ended.stdout) == (0, "goes on\n")


def test_a_program_that_is_not_there_takes_no_seat(backend: RealBackend, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    odd = tmp_path / "odd"
    odd.write_bytes(b"\x7fELF but not really")
    odd.chmod(odd.stat().st_mode | stat.S_IXUSR)

    missing, forbidden, broken = (
        run_apart("run", name, environment=environment_of(backend))
        for name in ("no-such-program", str(plain), str(odd))
    )

    assert (missing.returncode, missing.stderr) == (127, "seatlease: no-such-program: not found\n")
    assert (forbidden.returncode, forbidden.stderr) == (126, f"seatlease: {plain}: may not be executed\n")
    assert (broken.returncode, "cannot be run" in broken.stderr) == (126, True)
    assert backend.in_use == 0
    assert len(backend.tenant.sessions()) == 1  # of the last one: only the operating system could tell


def test_without_a_seat_the_program_is_not_started(backend: RealBackend, tmp_path: Path) -> None:
    mark = tmp_path / "started"
    with backend.seat("m1", hardware_id="other"):
        ended = run_apart("run", "--", "touch", str(mark), environment=environment_of(backend))

    assert (ended.returncode, mark.exists()) == (75, False)
    assert "Every seat is in use (1 of 1)." in ended.stderr
    assert "SEAT_LIMIT_REACHED" in ended.stderr


@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({"SEATLEASE_LICENSE_KEY": "ANOTHER"}, 77, "Your organization has no license with this key (ANO…)."),
        ({"SEATLEASE_LICENSE_KEY": "broken\nkey"}, 78, "INVALID_REQUEST"),
        ({"SEATLEASE_ID_TOKEN": ""}, 77, "Nobody is signed in"),
        ({"SEATLEASE_ID_TOKEN": "made-up"}, 77, "First unset SEATLEASE_ID_TOKEN"),
        ({"SEATLEASE_ID_TOKEN": "", "SEATLEASE_REFRESH_TOKEN": "r"}, 78, "needs SEATLEASE_API_KEY"),
        ({"SEATLEASE_URL": "http://127.0.0.1:9"}, 69, "cannot be reached"),
        ({"SEATLEASE_URL": "ftp://somewhere"}, 2, "https://"),
        ({"SEATLEASE_URL": ""}, 2, "--url"),
    ],
)
def test_each_reason_for_no_seat_has_its_status(
    backend: RealBackend, changed: dict[str, str], status: int, says: str
) -> None:
    ended = run("run", "true", environment=environment_of(backend, **changed))

    assert (ended.returncode, says in ended.stderr) == (status, True), ended.stderr
    assert (ended.stdout, "Traceback" in ended.stderr) == ("", False)


def test_one_device_too_many_is_told_with_the_commands_that_free_one(build_real: BuildBackend) -> None:
    backend = build_real(seats=3, max_devices_per_user=1)
    with backend.seat("m0", hardware_id="a-workstation-with-a-name") as seat:
        ended = run_apart("run", "true", environment=environment_of(backend))

    assert seat.lease is not None
    assert (ended.returncode, ended.stdout) == (75, "")
    _, *lines, _ = ended.stderr.splitlines()
    assert "USER_DEVICE_LIMIT_REACHED" in ended.stderr
    assert f"seatlease:     seatlease release {seat.lease.session_id}" in lines
    assert f"seatlease: a-workstatio…, since {seat.lease.server_time.astimezone():%Y-%m-%d %H:%M}" in lines
    assert all(len(line) <= 80 for line in lines)


def test_a_license_that_has_not_begun_starts_nothing(build_real: BuildBackend) -> None:
    begins = datetime(2190, 1, 2, 12, tzinfo=UTC)
    backend = build_real(seats=1, starts_at=begins)

    ended = run_apart("run", "true", environment=environment_of(backend))

    assert (ended.returncode, "LICENSE_NOT_STARTED" in ended.stderr) == (77, True)
    assert f"begins on {begins.astimezone():%Y-%m-%d at %H:%M}" in ended.stderr


@pytest.mark.parametrize(("days", "times"), [(3.5, 1), (9, 0)])
def test_a_license_that_ends_within_a_week_is_announced_once(build_real: BuildBackend, days: float, times: int) -> None:
    ends = datetime.now(UTC) + timedelta(days=days)
    backend = build_real(seats=1, expires_at=ends)

    ended = run_apart("run", "true", environment=environment_of(backend))

    said = re.findall(r"^seatlease: [0-9:]{8} The license ends on (\S+) \(in \d days\)$", ended.stderr, re.MULTILINE)
    assert (ended.returncode, said) == (0, [f"{ends.astimezone():%Y-%m-%d}"] * times)
    assert len(ended.stderr.splitlines()) == times


def test_a_killed_wrapper_leaves_the_program_and_its_seat_until_the_lease_ends(
    backend: RealBackend, run_program: StartScript
) -> None:
    process = run_program("echo runs; echo $$; exec sleep 60")
    assert process.stdout is not None
    program = int(process.stdout.readline())

    process.kill()
    process.wait()

    os.kill(program, 0)  # it is there
    assert backend.in_use == 1
    again = run_apart("run", "true", environment=environment_of(backend))  # the same device has its seat at once
    assert (again.returncode, backend.in_use) == (0, 0)
    os.kill(program, signal.SIGKILL)


def test_heartbeats_keep_the_seat_while_the_program_runs(backend: RealBackend, run_program: StartScript) -> None:
    backend.tenant.license().update({"lease_seconds": 3})
    process = run_program("echo runs; exec sleep 60")
    time.sleep(3.3)

    assert backend.in_use == 1
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == 128 + signal.SIGTERM
    assert backend.in_use == 0


def test_without_its_libraries_the_command_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{CLIENT}"}

    ended = run_apart("run", "true", environment=environment)

    assert (ended.returncode, ended.stderr) == (
        2,
        "seatlease: the command line needs more libraries: install the package as seatlease[cli]\n",
    )


def test_a_wrapper_told_to_end_while_its_seat_is_being_granted_gives_it_back(backend: RealBackend) -> None:
    backend.proxy.slow_down(0.4)
    process = start("run", "--", "sleep", "60", environment=environment_of(backend))
    wait_until(lambda: backend.in_use == 1)  # its answer is on the way

    process.send_signal(signal.SIGTERM)

    status, _, told = end(process)
    assert (status, backend.in_use) == (128 + signal.SIGTERM, 0)
    assert told.endswith("the program was not started, and no seat is held\n")


def test_a_wrapper_told_to_end_while_it_starts_the_program_tells_the_program(backend: RealBackend) -> None:
    process = start("run", "--", "sleep", "60", environment=environment_of(backend))
    wait_until(lambda: backend.in_use == 1)

    process.send_signal(signal.SIGTERM)

    assert end(process)[0] == 128 + signal.SIGTERM
    assert backend.in_use == 0
