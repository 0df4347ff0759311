"""The background thread: it delays nothing, and what blocks in it blocks nobody."""

import asyncio
import socket
import subprocess
import sys
import threading
import time

from seatlease._keeping.engine import DaemonThreads, engine
from tests.client.hosts import CLIENT


def test_work_runs_on_one_thread_that_is_not_the_callers_and_a_daemon() -> None:
    async def where() -> tuple[int, bool]:
        return threading.get_ident(), threading.current_thread().daemon

    first, second = engine().run(where()).result(5), engine().run(where()).result(5)

    assert first == second
    assert first[0] != threading.get_ident()
    assert first[1] is True


def test_many_blocking_calls_run_at_once_and_idle_threads_are_used_again() -> None:
    threads = DaemonThreads()
    everybody = threading.Barrier(8)

    def meet() -> int:
        everybody.wait(10)
        return threading.get_ident()

    seen = {ident.result(10) for ident in [threads.submit(meet) for _ in range(8)]}

    later = {threads.submit(threading.get_ident).result(5) for _ in range(300)}

    assert len(seen) == 8
    # One that has just answered may not count as idle yet: then there is one more, which is idle the next time.
    assert len(later - seen) < 10


def test_what_a_blocking_call_raises_is_the_waiters() -> None:
    async def look_up() -> str:
        try:
            await asyncio.get_running_loop().getaddrinfo("no-such-host.invalid", 80)
        except socket.gaierror:
            return "not found"
        return "found"

    assert engine().run(look_up()).result(30) == "not found"


def test_a_blocking_call_that_hangs_delays_no_exit() -> None:
    program = """
import asyncio, time
from seatlease._keeping.engine import engine
async def hang():
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)
engine().run(hang())
time.sleep(0.1)
"""
    started = time.monotonic()

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - started < 20
