"""What becomes of a program whose seat is revoked or lost, and waiting for a seat. Real processes on the real stack."""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from io import StringIO

import psutil
import pytest
from rich.console import Console

from seatlease.cli import waiting
from seatlease.errors import InLine, NoSeatFree, ServiceUnreachable
from seatlease.events import Waiting
from tests.client.backends import RealBackend
from tests.client.commands import Terminal, command, end, environment_of, start, stop
from tests.client.conftest import BuildBackend, StartScript

_LEASE_SECONDS = 3
"""So that heartbeats and tries are a second apart."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=1, lease_seconds=_LEASE_SECONDS)


@pytest.fixture
def on_exit() -> Iterator[ExitStack]:
    with ExitStack() as cleanup:
        yield cleanup


@pytest.fixture
def on_terminal(backend: RealBackend) -> Iterator[Callable[..., Terminal]]:
    with ExitStack() as cleanup:

        def on_terminal(*words: str) -> Terminal:
            terminal = Terminal.running(command(*words), environment=environment_of(backend))
            cleanup.callback(terminal.stop)
            return terminal

        yield on_terminal


_ENDS_WHEN_TOLD = "trap 'exit 4' USR1; echo runs; while :; do sleep 0.05; done"


def _said(process: "subprocess.Popen[str]", text: str) -> str:
    """Read what it says until this is among it; its end, or the test's time limit, ends the reading."""
    assert process.stderr is not None
    heard = ""
    while text not in heard:
        line = process.stderr.readline()
        assert line, heard
        heard += line
    return heard


def test_a_revocation_tells_the_program_to_end(backend: RealBackend, run_program: StartScript) -> None:
    process = run_program("trap 'echo saved; exit 0' TERM; echo runs; while :; do sleep 0.05; done")

    backend.revoke()

    status, out, err = end(process)
    assert (status, out) == (79, "saved\n")
    assert re.match(r"seatlease: \d\d:\d\d:\d\d the seat was revoked: Your session was ended by an administ", err), err
    assert "(SESSION_REVOKED" in err
    assert "the program is told to end; after 10s it is killed" in err


@pytest.mark.long
def test_a_program_that_does_not_end_is_killed(backend: RealBackend, run_program: StartScript) -> None:
    process = run_program("trap '' TERM; echo runs; while :; do sleep 0.05; done", "--kill-after", "0.5s")

    backend.revoke()

    status, _, err = end(process)
    assert (status, "the program did not end, and is killed" in err) == (79, True)


@pytest.mark.long
def test_who_wants_it_has_the_program_killed_at_once(backend: RealBackend, run_program: StartScript) -> None:
    process = run_program("trap 'echo saved' TERM; echo runs; while :; do sleep 0.05; done", "--on-loss=kill")

    backend.revoke()

    assert end(process)[:2] == (79, "")


_A_SCRIPT_THAT_STARTS_IT = "({}) & echo runs; echo $!; wait"


@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("exec sleep 60", []),
        ("trap '' TERM; while :; do sleep 0.05; done", ["--kill-after", "0.5s"]),
        ("exec sleep 60", ["--on-loss", "kill"]),
    ],
    ids=["told to end", "killed when it does not end", "killed"],
)
@pytest.mark.long
def test_what_the_program_has_started_ends_with_it(
    backend: RealBackend, run_program: StartScript, program: str, options: list[str]
) -> None:
    process = run_program(_A_SCRIPT_THAT_STARTS_IT.format(program), *options)
    assert process.stdout is not None
    started = psutil.Process(int(process.stdout.readline()))

    backend.revoke()

    assert end(process)[0] == 79
    # Whoever inherits it may not have noticed its end.
    assert not started.is_running() or started.status() == psutil.STATUS_ZOMBIE


def test_who_wants_only_a_warning_gets_one(backend: RealBackend, run_program: StartScript) -> None:
    process = run_program(_ENDS_WHEN_TOLD, "--on-loss=warn")

    backend.revoke()

    _said(process, "the program goes on without a seat")
    process.send_signal(signal.SIGUSR1)
    assert end(process)[0] == 4


def test_a_lost_seat_is_regained_and_the_program_does_not_notice(
    backend: RealBackend, run_program: StartScript
) -> None:
    process = run_program(_ENDS_WHEN_TOLD)

    backend.release_all()

    told = _said(process, "the seat is held again")
    assert "the seat was lost: Your seat was given back." in told
    process.send_signal(signal.SIGUSR1)
    assert end(process) == (4, "", "")


@pytest.mark.long
def test_a_lost_seat_that_somebody_else_has_now_ends_the_program(
    backend: RealBackend, run_program: StartScript
) -> None:
    process = run_program("echo runs; exec sleep 60", "--regain-within", "1s")
    backend.tenant.license().update({"max_concurrent_seats": 0})

    backend.release_all()

    status, _, err = end(process)
    assert status == 79
    assert err.count("the seat was not regained: Every seat is in use") == 1
    assert err.count("Asking for it again") == err.count("the program is told to end") == 1


@pytest.mark.long
def test_without_an_answer_a_lost_seat_is_waited_for_as_long_as_was_said(
    backend: RealBackend, run_program: StartScript
) -> None:
    process = run_program("echo runs; exec sleep 60", "--regain-within", "1s")

    with backend.offline():
        status, _, err = end(process)

    assert status == 79
    assert "a heartbeat was not answered" in err
    assert "the seat was lost" in err


def test_whoever_waits_gets_the_seat_that_falls_free(backend: RealBackend) -> None:
    with backend.seat("m1", hardware_id="other"):
        process = start("run", "--wait", "30s", "--", "echo", "runs", environment=environment_of(backend))
        assert process.stderr is not None
        told = process.stderr.readline()

    status, out, _ = end(process)
    assert (status, out) == (0, "runs\n")
    assert re.fullmatch(r"seatlease: [\d:]{8} waiting, position 1 of 1, (30|2\d)s left, next try in \ds\n", told), told


_SILENCE_AND_AN_INTERVAL = 12.5 + 5
"""Seconds for which a first place that fell silent may hold up the next one, which asks every 5 s."""


@pytest.mark.long
def test_when_the_first_in_line_is_killed_the_next_one_gets_the_seat_within_the_bound(
    build_real: BuildBackend, on_exit: ExitStack
) -> None:
    backend = build_real(seats=1)
    holder = backend.seat("olivia")
    holder.acquire()
    line = []
    for user, place in (("m0", "position 1 of 1"), ("m1", "position 2 of 2")):
        line.append(start("run", "--wait", "10m", "--", "echo", "runs", environment=environment_of(backend, user)))
        on_exit.callback(stop, line[-1])
        _said(line[-1], place)

    line[0].kill()
    line[0].wait()
    holder.close()
    freed_at = time.monotonic()

    status, out, _ = end(line[1], within=40)  # far more than the bound: the machine may be slow
    took = time.monotonic() - freed_at
    print(f"the next one had the seat after {took:.1f} s; the bound is {_SILENCE_AND_AN_INTERVAL} s")  # noqa: T201 for `pytest -s`
    assert (status, out) == (0, "runs\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_waiting(backend: RealBackend, number: signal.Signals) -> None:
    with backend.seat("m1", hardware_id="other"):
        process = start("run", "--wait", "10m", "--", "echo", "runs", environment=environment_of(backend))
        assert process.stderr is not None
        process.stderr.readline()

        process.send_signal(number)

        status, out, err = end(process)
        assert (status, out) == (128 + number, "")
        assert err.endswith(" the program was not started, and no seat is held\n")
        assert backend.in_use == 1


@pytest.mark.long
def test_on_a_terminal_a_line_counts_down_and_gives_way_to_the_program(
    backend: RealBackend, on_terminal: Callable[..., Terminal]
) -> None:
    with backend.seat("m1", hardware_id="other"):
        terminal = on_terminal("run", "--wait", "30s", "--", "sh", "-c", "tty; echo runs")
        terminal.shows("waiting, position 1 of 1, 30s left, next try in")
        terminal.shows("28s left")

    assert terminal.ends() == 0
    assert "/dev/pts" in terminal.seen
    assert "runs" in terminal.seen


@pytest.mark.long
def test_ctrl_c_on_a_terminal_reaches_the_program_once(
    backend: RealBackend, on_terminal: Callable[..., Terminal]
) -> None:
    script = "trap 'echo heard' INT; echo runs; n=0; while [ $n -lt 30 ]; do sleep 0.05; n=$((n+1)); done; exit 6"
    terminal = on_terminal("run", "--", "sh", "-c", script)
    terminal.shows("runs")

    terminal.types("\x03")

    assert terminal.ends() == 6
    assert terminal.seen.count("heard") == 1
    assert backend.in_use == 0


def test_ctrl_c_while_waiting_on_a_terminal_leaves_at_once(
    backend: RealBackend, on_terminal: Callable[..., Terminal]
) -> None:
    with backend.seat("m1", hardware_id="other"):
        terminal = on_terminal("run", "--wait", "10m", "--", "echo", "runs")
        terminal.shows("waiting, position 1 of 1")
        began = time.monotonic()

        terminal.types("\x03")

        assert terminal.ends() == 130
        assert time.monotonic() - began < 5
        assert "no seat is held" in terminal.seen
        assert backend.in_use == 1


@pytest.mark.parametrize("columns", [80, 40])
def test_the_waiting_line_fits_the_terminal_the_most_important_first(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Console(file=StringIO(), force_terminal=True, width=columns)
    monkeypatch.setattr(waiting, "errors", terminal)
    full = NoSeatFree("m", in_use=120, max_seats=120, earliest_expiry_at=None, retry_after=timedelta(minutes=1))
    away = ServiceUnreachable("m")
    line = InLine("m", position=120, of=120, since=datetime.now(UTC), session_id="s", retry_after=timedelta(minutes=1))

    for error in (full, away, line):
        with waiting.shown_waiting() as tell:
            tell(Waiting(attempt=1, next_try_in=timedelta(minutes=1), give_up_in=timedelta(hours=10), error=error))

    assert isinstance(terminal.file, StringIO)
    lines = [line for line in _CONTROL.sub("", terminal.file.getvalue()).splitlines() if line.strip()]
    assert len(lines) == 3
    assert all(len(line) <= columns for line in lines)
    assert "waiting, 120 of 120 seats in use, 10" in lines[0]
    assert "waiting, service does not answer, 10" in lines[1]
    assert "waiting, position 120 of 120, 10" in lines[2]
    assert all("next try in 1m 00s" in line for line in lines) is (columns == 80)
