"""What the platform's variables would make of functions-framework's server, and do not."""

import os
import signal
import time

import httpx
import psutil
import pytest

from infra.local.loopback import NO_TLS
from tests.support.servers import StartFunction


@pytest.mark.long
def test_an_instance_that_was_idle_for_longer_than_a_request_may_take_keeps_its_worker(
    start_server: StartFunction,
) -> None:
    processes = [start_server(name, CLOUD_RUN_TIMEOUT_SECONDS="1") for name in ("keys", "relay_audit")]
    for process in processes:
        process.wait_until_ready()
    workers = [psutil.Process(process.popen.pid).children() for process in processes]
    assert all(workers)

    # No processor time while no request is under way, as on the platform.
    for process in processes:
        os.killpg(process.popen.pid, signal.SIGSTOP)
    time.sleep(3)
    for process in processes:
        os.killpg(process.popen.pid, signal.SIGCONT)
    time.sleep(1.5)

    assert [httpx.get(process.url, verify=NO_TLS).status_code < 500 for process in processes] == [True, True]
    assert [psutil.Process(process.popen.pid).children() for process in processes] == workers
