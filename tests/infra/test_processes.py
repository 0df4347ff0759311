"""Programs are started, waited for and stopped, and what goes wrong is told."""

import errno
import signal
import socket
import sys
from pathlib import Path

import pytest

from infra.local.processes import Process, StartError, free_port, require_free

ANSWERS_HTTP = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]


def test_a_program_that_ends_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no such jar'); raise SystemExit(3)"]
    process = Process.start("emulator", command, port=free_port(), log_folder=tmp_path)

    with pytest.raises(StartError, match=r"emulator ended with 3:\nno such jar"):
        process.wait_until_ready()

    process.stop()


def test_a_program_that_does_not_answer_in_time_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.processes.START_WITHIN_SECONDS", 0.2)
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    process = Process.start("emulator", command, port=free_port(), log_folder=tmp_path)

    with pytest.raises(StartError, match="emulator did not answer in time"):
        process.wait_until_ready()

    process.stop()


def test_a_program_that_was_paused_stops_when_told(tmp_path: Path) -> None:
    port = free_port()
    process = Process.start("server", [*ANSWERS_HTTP, str(port)], port=port, log_folder=tmp_path)
    process.wait_until_ready()
    process.signal(signal.SIGSTOP)

    status = process.stop()

    assert status == -signal.SIGTERM


def test_a_program_that_does_not_listen_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.processes.STOP_WITHIN_SECONDS", 0.2)
    port = free_port()
    code = (
        "import signal, sys, http.server; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()"
    )
    process = Process.start("server", [sys.executable, "-c", code, str(port)], port=port, log_folder=tmp_path)
    process.wait_until_ready()

    status = process.stop()

    assert status == -signal.SIGKILL


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    process = Process.start("ended", [sys.executable, "-c", ""], port=free_port(), log_folder=tmp_path)

    statuses = process.popen.wait(), process.stop(), process.stop()

    assert statuses == (0, 0, 0)


def test_a_free_port_is_free() -> None:
    require_free(free_port())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a server listen beside who keeps its port")
def test_a_free_port_is_kept_from_others_and_whoever_it_was_found_for_may_listen_there(tmp_path: Path) -> None:
    port = free_port()

    def answer_there() -> int | None:
        with socket.socket() as other:
            return other.connect_ex(("127.0.0.1", port))

    with socket.socket() as careless, pytest.raises(OSError, match="in use"):
        careless.bind(("127.0.0.1", port))
    assert answer_there() == errno.ECONNREFUSED
    process = Process.start("server", [*ANSWERS_HTTP, str(port)], port=port, log_folder=tmp_path)
    process.wait_until_ready()
    process.stop()
    assert answer_there() == errno.ECONNREFUSED


def test_a_taken_port_is_not() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(StartError, match=r"Choose another: make serve PORT=\.\.\., or --port"),
    ):
        require_free(other.getsockname()[1])
