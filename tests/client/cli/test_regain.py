"""A lost seat that others have now: the program has ``--regain-within``. A real program, and the fake service."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

import seatlease
from seatlease import State
from seatlease.cli.loss import OnLoss, Policy, Watch
from seatlease.testing import FakeService

_LEASE = timedelta(seconds=3)


@pytest.fixture
def program() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"]) as program:
        yield program
        program.kill()


def _loses_its_seat(
    service: FakeService, program: "subprocess.Popen[bytes]", *, regain_within: timedelta
) -> tuple[seatlease.Seat, Watch]:
    policy = Policy(on_loss=OnLoss.TERMINATE, kill_after=timedelta(seconds=20), regain_within=regain_within)
    watch = Watch(policy)
    seat = service.seat(on_change=watch.tell, sigterm=False)
    seat.acquire()
    watch.begin(seat, program)
    service.release_all()
    service.occupy()
    seat.heartbeat()
    return seat, watch


def test_a_program_whose_seat_falls_free_in_time_goes_on(
    program: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    service = FakeService(lease=_LEASE)  # so the other's seat falls free in three seconds

    seat, watch = _loses_its_seat(service, program, regain_within=timedelta(minutes=5))
    deadline = time.monotonic() + 60
    while seat.state is not State.ACTIVE:
        assert time.monotonic() < deadline, seat.error
        time.sleep(0.1)

    assert program.poll() is None
    assert not watch.has_ended_it()
    seat.close()
    said = capsys.readouterr().err
    assert "Every seat is in use (1 of 1)." in said
    assert "Save your work, or wait for a seat." in said


@pytest.mark.long
def test_a_program_whose_seat_stays_taken_has_its_time_and_a_last_try_although_the_service_asks_for_a_later_one(
    program: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    service, began = FakeService(lease=timedelta(hours=1)), time.monotonic()

    seat, watch = _loses_its_seat(service, program, regain_within=timedelta(seconds=3))
    program.wait(60)

    assert time.monotonic() - began >= 3
    assert watch.has_ended_it()
    seat.close()
    said = capsys.readouterr().err
    assert said.count("the seat was not regained: Every seat is in use") == 1
    assert said.count("the program is told to end") == 1
    assert [name for name, _ in service.requests].count("acquire") == 3  # the last one when the time is over


def test_a_program_that_ends_while_its_seat_is_waited_for_is_not_told_to_end(
    program: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    service = FakeService(lease=timedelta(hours=1))
    seat, watch = _loses_its_seat(service, program, regain_within=timedelta(minutes=5))

    program.kill()
    program.wait(60)
    seat.close()

    assert not watch.has_ended_it()
    assert "told to end" not in capsys.readouterr().err
