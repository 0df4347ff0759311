"""What becomes of a seat when its program ends, however it ends, and when several programs share it. Real processes."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.client.backends import RealBackend
from tests.client.conftest import BuildBackend
from tests.client.hosts import Host
from tests.support.waiting import wait_until

StartHost = Callable[..., Host]


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=1)


@pytest.fixture
def start(backend: RealBackend) -> Iterator[StartHost]:
    """Start one more program of the same user on the same device."""
    with ExitStack() as cleanup:

        def start(*, user: str = "m0", environment: dict[str, str] | None = None, **options: object) -> Host:
            host = Host({**backend.described(user), **options}, **(environment or {}))
            cleanup.callback(host.stop)
            return host

        yield start


def test_a_normal_exit_gives_the_seat_back_also_without_a_block(backend: RealBackend, start: StartHost) -> None:
    host = start(how="acquire").holds()

    host.tell("exit")

    assert (host.ends(), backend.in_use, host.errors) == (0, 0, [])


@pytest.mark.long
def test_a_name_can_be_looked_up_at_exit_when_no_thread_can_be_started_any_more(
    backend: RealBackend, start: StartHost
) -> None:
    host = start(how="acquire", url=backend.proxy.url.replace("127.0.0.1", "localhost")).holds()
    time.sleep(1.5)  # the connection is closed by then: the way to the service has to be found again

    host.tell("exit")

    assert (host.ends(), backend.in_use, host.errors) == (0, 0, [])


def test_an_uncaught_exception_gives_the_seat_back(backend: RealBackend, start: StartHost) -> None:
    host = start(how="acquire").holds()

    host.tell("raise")

    assert (host.ends(), backend.in_use) == (1, 0)
    assert host.errors[-1] == "RuntimeError: the program's own fault\n"


def test_sigterm_gives_the_seat_back_and_ends_the_program_as_it_would_have(
    backend: RealBackend, start: StartHost
) -> None:
    host = start(how="acquire").holds()

    host.signal(signal.SIGTERM)

    assert (host.ends(), backend.in_use, host.errors) == (-signal.SIGTERM, 0, [])


def test_a_signal_may_come_while_an_engine_is_being_started(backend: RealBackend, start: StartHost) -> None:
    host = start(how="acquire").holds()
    host.obeys("start an engine, and never come to an end")

    host.signal(signal.SIGTERM)

    assert (host.ends(), backend.in_use, host.errors) == (-signal.SIGTERM, 0, [])


def test_sigint_gives_the_seat_back(backend: RealBackend, start: StartHost) -> None:
    host = start(how="acquire").holds()

    host.signal(signal.SIGINT)

    assert (host.ends(), backend.in_use) == (-signal.SIGINT, 0)


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("with", signal.SIGTERM),
        ("acquire", signal.SIGINT),
        ("async", signal.SIGTERM),
        pytest.param("with", signal.SIGINT, marks=pytest.mark.long),
        pytest.param("acquire", signal.SIGTERM, marks=pytest.mark.long),
        pytest.param("async", signal.SIGINT, marks=pytest.mark.long),
    ],
)
def test_a_program_that_ends_while_its_seat_is_being_granted_gives_it_back(
    backend: RealBackend, start: StartHost, how: str, number: signal.Signals
) -> None:
    backend.proxy.slow_down(0.2)
    host = start(how=how)
    wait_until(lambda: backend.in_use == 1)  # and the answer is on its way

    host.signal(number)

    assert (host.ends(), backend.in_use) == (-number, 0)


def test_a_handler_of_the_programs_own_is_left_in_place(backend: RealBackend, start: StartHost) -> None:
    host = start(how="acquire", own_handler=True).holds()

    host.signal(signal.SIGTERM)

    host.said(did="own_handler")
    assert (host.ends(), backend.in_use) == (7, 0)


def test_who_wants_no_handler_gets_none(backend: RealBackend, start: StartHost) -> None:
    host = start(how="acquire", sigterm=False).holds()

    host.signal(signal.SIGTERM)

    assert (host.ends(), backend.in_use) == (-signal.SIGTERM, 1)


def test_a_killed_programs_seat_falls_free_when_its_lease_runs_out(backend: RealBackend, start: StartHost) -> None:
    host = start().holds()

    host.signal(signal.SIGKILL)

    host.ends()
    assert backend.in_use == 1
    backend.lapse()
    with backend.seat("m1"):
        assert backend.in_use == 1


def test_a_program_that_is_started_again_after_a_crash_has_its_seat_at_once(
    backend: RealBackend, start: StartHost
) -> None:
    crashed = start().holds()
    crashed.signal(signal.SIGKILL)
    crashed.ends()

    again = start().holds()

    again.tell("exit")
    assert (again.ends(), backend.in_use) == (0, 0)  # who crashed does not count: the last one out was the last


def test_programs_of_one_user_on_one_device_share_a_seat_and_the_last_one_out_gives_it_back(
    backend: RealBackend, start: StartHost
) -> None:
    first, second, third = (start().holds() for _ in range(3))
    assert backend.in_use == 1

    first.tell("exit")
    assert (first.ends(), backend.in_use) == (0, 1)
    second.signal(signal.SIGKILL)
    second.ends()
    assert backend.in_use == 1
    assert third.obeys("heartbeat")["state"] == "active"
    third.signal(signal.SIGTERM)

    assert (third.ends(), backend.in_use) == (-signal.SIGTERM, 0)


def test_another_user_on_the_same_device_shares_nothing(build_real: BuildBackend) -> None:
    backend = build_real(seats=2)
    mine = backend.seat("m0")
    with backend.seat("m1"):
        mine.acquire()
        assert backend.in_use == 2

        mine.close()

        assert backend.in_use == 1


@pytest.mark.long
def test_a_program_stopped_for_longer_than_its_lease_asks_again_when_it_goes_on(
    backend: RealBackend, start: StartHost
) -> None:
    backend.tenant.license().update({"lease_seconds": 3})
    host = start().holds()

    host.signal(signal.SIGSTOP)
    wait_until(lambda: backend.in_use == 0)
    host.signal(signal.SIGCONT)

    host.said(state="lost")
    host.said(state="active")
    assert backend.in_use == 1


def test_a_stopped_program_whose_seat_was_taken_meanwhile_learns_that_it_is_lost(
    backend: RealBackend, start: StartHost
) -> None:
    backend.tenant.license().update({"lease_seconds": 3})
    host = start().holds()

    host.signal(signal.SIGSTOP)
    wait_until(lambda: backend.in_use == 0)  # its last heartbeat may have been under way
    backend.tenant.license().update({"lease_seconds": 60})
    with backend.seat("m1"):
        host.signal(signal.SIGCONT)

        host.said(state="lost")
        assert host.obeys("heartbeat")["state"] == "lost"
        assert backend.in_use == 1


@pytest.mark.long
def test_a_forked_child_that_uses_the_seat_keeps_it_for_itself_too(backend: RealBackend, start: StartHost) -> None:
    backend.tenant.license().update({"lease_seconds": 3})
    host = start(how="acquire", environment={"CHILD_SECONDS": "5"}).holds()
    child = host.obeys("fork and use it")
    assert (child["state"], child["pid"] != host.popen.pid) == ("active", True)

    host.signal(signal.SIGKILL)

    # It outlives its parent, and the lease: only its own heartbeats can have kept it.
    ended = host.said(did="child ends")
    assert (ended["pid"], ended["state"]) == (child["pid"], "active")
    wait_until(lambda: backend.in_use == 0)  # and it was the last one out


def test_a_forked_child_that_leaves_the_seat_alone_takes_nothing_from_its_parent(
    backend: RealBackend, start: StartHost
) -> None:
    host = start(how="acquire").holds()

    host.obeys("fork and leave it alone")

    assert (host.obeys("heartbeat")["state"], backend.in_use) == ("active", 1)


def test_worker_processes_may_check_their_parents_seat(backend: RealBackend, start: StartHost) -> None:
    host = start(how="acquire").holds()

    assert host.obeys("work in processes")["states"] == ["active"] * 4

    assert (host.obeys("heartbeat")["state"], backend.in_use) == ("active", 1)
    host.tell("exit")
    assert (host.ends(), backend.in_use, host.errors) == (0, 0, [])


@pytest.mark.long
def test_an_exit_during_a_heartbeat_that_nobody_answers_is_hardly_delayed(
    backend: RealBackend, start: StartHost
) -> None:
    host = start(how="acquire").holds()
    with _nobody_answers(backend) as silent:
        host.tell("begin heartbeat")
        connection, _ = silent.accept()  # the request is under way
        started = time.monotonic()
        host.tell("exit")

        status = host.ends()
        connection.close()

    assert (status, host.errors) == (0, [])
    assert time.monotonic() - started < 4


def _nobody_answers(backend: RealBackend) -> socket.socket:
    """Put a server that takes connections and says nothing where the service was."""
    backend.proxy.cut()
    silent = socket.socket()
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    silent.bind(("127.0.0.1", backend.proxy.port))
    silent.listen()
    silent.settimeout(10)
    return silent
