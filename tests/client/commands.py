"""The command line: in this process, or as people run it, in one of its own, through pipes or on a terminal."""

import logging
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from unittest import mock

from typer.testing import CliRunner

from seatlease.cli.app import app
from tests.client.backends import RealBackend
from tests.client.hosts import CLIENT

_SETTINGS = ("SEATLEASE_", "FIREBASE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_TAKE_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment_of(backend: RealBackend, user: str = "m0", **more: str) -> dict[str, str]:
    """What a shell would have set for this user; nothing of the person's own who runs the tests."""
    described = backend.described(user)
    return {
        **bare_environment(),
        "SEATLEASE_URL": described["url"],
        "SEATLEASE_LICENSE_KEY": described["license_key"],
        "SEATLEASE_ID_TOKEN": described["credentials"],
        "SEATLEASE_HARDWARE_ID": "laptop",
        **more,
    }


def bare_environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.upper().startswith(_SETTINGS)}
    return {
        **ours,
        "PYTHONPATH": str(CLIENT),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "COLUMNS": "160",
    }


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "seatlease", *words]


def run(*words: str, environment: Mapping[str, str], told: str = "") -> "subprocess.CompletedProcess[str]":
    """Run one command in this process, which saves most of its time. ``seatlease run`` has to be ``run_apart``."""
    with mock.patch.dict(os.environ, environment, clear=True):
        ran = CliRunner().invoke(app, words, prog_name="seatlease", input=told)
    logging.getLogger("seatlease").handlers.clear()  # they write to the streams of this run
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return subprocess.CompletedProcess(words, ran.exit_code, ran.stdout, ran.stderr)


def run_apart(
    *words: str, environment: Mapping[str, str], told: str = "", within: float = 30
) -> "subprocess.CompletedProcess[str]":
    """Run it to its end in a process of its own, as people do."""
    return subprocess.run(
        command(*words), env=dict(environment), input=told, capture_output=True, text=True, timeout=within, check=False
    )


def start(*words: str, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start it, with pipes, in a group of its own."""
    return subprocess.Popen(
        command(*words),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(process: "subprocess.Popen[str]", *, within: float = 20) -> tuple[int, str, str]:
    """Wait for its end: status, standard output, standard error."""
    out, err = process.communicate(timeout=within)
    return process.returncode, out, err


def stop(process: "subprocess.Popen[str]") -> None:
    """End it and what it started, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@dataclass(kw_only=True)
class Terminal:
    """It runs on a terminal of its own, in its foreground."""

    process: "subprocess.Popen[bytes]"
    fd: int
    seen: str = field(default="")

    @classmethod
    def running(cls, words: Sequence[str], *, environment: Mapping[str, str]) -> "Terminal":
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_THE_TERMINAL, *words],
            env={**environment, "TERM": "xterm"},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        return cls(process=process, fd=ours)

    def shows(self, text: str, *, within: float = 20) -> str:
        """Wait until this was on it, and give all that was."""
        deadline = time.monotonic() + within
        while text not in self.seen:
            assert time.monotonic() < deadline, f"waited for {text!r}, saw {self.seen!r}"
            self._read()
        return self.seen

    def types(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def ends(self, *, within: float = 20) -> int:
        deadline = time.monotonic() + within
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it goes on: {self.seen!r}"
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.fd)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.fd], [], [], 0.1)
        try:
            came = os.read(self.fd, 65_536) if ready else b""
        except OSError:  # Linux says so when nobody has the other side open any more
            return False
        self.seen += _CONTROL.sub("", came.decode(errors="replace"))
        return bool(came)
