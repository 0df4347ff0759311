"""Whatever threads or tasks do with one seat at the same time: closed, it holds nothing, and asks for nothing."""

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from inspect import isawaitable
from pathlib import Path

import httpx
import pytest
from filelock import FileLock

import seatlease
from seatlease._keeping.sharing import seat_name
from seatlease.lease import AT_WORK
from seatlease.testing import FakeService
from tests.support.waiting import wait_until

THREADS, ROUND_SECONDS = 4, 0.3
NUMBERS = [*range(4), *(pytest.param(number, marks=pytest.mark.long) for number in range(4, 12))]
ANSWERS_WITHIN_SECONDS = 0.03


@pytest.fixture(autouse=True)
def _switching_often() -> Iterator[None]:
    """Have threads meet where they hardly ever would."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class SlowTransport(httpx.AsyncBaseTransport):
    """Takes its time there and back, so that whatever happens falls into the middle of a request."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(random.uniform(0, ANSWERS_WITHIN_SECONDS))  # noqa: S311 chance, no secret
        response = await self._transport.handle_async_request(request)
        await asyncio.sleep(random.uniform(0, ANSWERS_WITHIN_SECONDS))  # noqa: S311 as above
        return response


def _deeds(seat: seatlease.Seat | seatlease.AsyncSeat, service: FakeService) -> list[Callable[[], object]]:
    return [
        *[seat.acquire, lambda: seat.acquire(wait=timedelta(seconds=5))] * 2,
        *[seat.heartbeat, seat.close] * 2,
        *[seat.cancel, seat.check],
        *[service.revoke, service.release_all, service.occupy, service.vacate],
    ]


def _work(
    seat: seatlease.Seat, service: FakeService, *, dice: random.Random, until: float, faults: list[BaseException]
) -> None:
    deeds = _deeds(seat, service)
    while time.monotonic() < until:
        try:
            dice.choice(deeds)()
        except seatlease.SeatleaseError:
            pass  # every kind of it may be an answer here
        except BaseException as fault:  # noqa: BLE001 it ends the thread, and fails the test below
            faults.append(fault)
            return
        time.sleep(dice.uniform(0, ANSWERS_WITHIN_SECONDS))


@pytest.mark.parametrize("number", NUMBERS)
def test_after_whatever_several_threads_did_with_it_a_closed_seat_holds_nothing(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    service = FakeService(seats=1, lease=timedelta(seconds=3))
    seat = service.seat(transport=SlowTransport(service.transport))
    faults: list[BaseException] = []
    until = time.monotonic() + ROUND_SECONDS
    threads = [
        threading.Thread(
            target=_work,
            args=(seat, service),
            kwargs={"dice": random.Random(f"{number}-{each}"), "until": until, "faults": faults},  # noqa: S311 as above
        )
        for each in range(THREADS)
    ]

    for thread in threads:
        thread.start()
    time.sleep(ROUND_SECONDS)
    while any(thread.is_alive() for thread in threads):  # one of them may just have begun to wait for a seat
        seat.close()
    service.vacate()
    seat.close()

    _holds_nothing_and_asks_for_nothing(seat, service)
    assert faults == []
    assert [record.message for record in caplog.records if "fault" in record.message] == []


def _holds_nothing_and_asks_for_nothing(seat: seatlease.Seat | seatlease.AsyncSeat, service: FakeService) -> None:
    asked = len(service.requests)
    assert (service.in_use, seat.state in AT_WORK) == (0, False), str(service.requests)  # a list would be cut short
    time.sleep(4 * ANSWERS_WITHIN_SECONDS)
    assert (service.in_use, service.requests[asked:]) == (0, [])


class GatedTransport(httpx.AsyncBaseTransport):
    """Keeps requests for a seat on their way while it is closed."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self.closed, self.reached = threading.Event(), threading.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        while self.closed.is_set() and request.url.path.endswith("acquire"):
            self.reached.set()
            await asyncio.sleep(0.005)
        return await self._transport.handle_async_request(request)


def test_a_heartbeat_that_comes_while_an_acquire_stops_the_others_asks_for_nothing() -> None:
    service = FakeService(seats=1)
    gate = GatedTransport(service.transport)
    seat = service.seat(transport=gate)
    with ThreadPoolExecutor(3) as threads:
        seat.acquire()
        service.release_all()
        gate.closed.set()
        regaining = threads.submit(seat.heartbeat)
        assert gate.reached.wait(10)

        acquiring = threads.submit(seat.acquire)
        time.sleep(0.3)  # it waits for the other one to give back what it may be granted
        beating = threads.submit(seat.heartbeat)
        time.sleep(0.3)
        gate.closed.clear()

        for each in (regaining, acquiring, beating):
            each.result(10)
    assert service.requests == [
        *[("acquire", 201), ("heartbeat", 410)],
        *[("acquire", 201), ("release", 204)],  # the one that was stopped
        ("acquire", 201),
    ]
    seat.close()
    assert service.in_use == 0


async def test_who_is_cancelled_before_hearing_of_the_grant_holds_nothing() -> None:
    service = FakeService(seats=1)
    seat = service.async_seat()
    acquiring = asyncio.create_task(seat.acquire())
    await asyncio.sleep(0)
    _wait_without_this_loop(lambda: service.in_use == 1)
    acquiring.cancel()

    with pytest.raises(asyncio.CancelledError):
        await acquiring

    assert (service.in_use, seat.state in AT_WORK) == (0, False)


async def test_who_is_cancelled_before_hearing_of_the_grant_leaves_it_to_who_has_it_too() -> None:
    service = FakeService(seats=1)
    seat = service.async_seat()
    acquiring = asyncio.create_task(seat.acquire())
    await asyncio.sleep(0)
    _wait_without_this_loop(lambda: seat.state in AT_WORK)
    acquiring.cancel()
    other = asyncio.create_task(seat.acquire())

    with pytest.raises(asyncio.CancelledError):
        await acquiring
    await other

    assert (service.in_use, seat.state) == (1, seatlease.State.ACTIVE)
    await seat.close()
    assert service.in_use == 0


def _wait_without_this_loop(condition: Callable[[], bool]) -> None:
    """Wait so that the caller's loop hears of nothing meanwhile."""
    wait_until(condition)
    time.sleep(0.1)


async def _work_in_task(seat: seatlease.AsyncSeat, service: FakeService, *, dice: random.Random, until: float) -> None:
    deeds = _deeds(seat, service)
    while time.monotonic() < until:
        with suppress(seatlease.SeatleaseError, TimeoutError):  # as above, and the end of its patience
            async with asyncio.timeout(dice.choice([ANSWERS_WITHIN_SECONDS / 2, 2 * ANSWERS_WITHIN_SECONDS, None])):
                deed = dice.choice(deeds)()
                if isawaitable(deed):
                    await deed
        await asyncio.sleep(dice.uniform(0, ANSWERS_WITHIN_SECONDS))


@pytest.mark.parametrize("number", NUMBERS)
async def test_after_whatever_several_tasks_did_with_it_a_closed_seat_holds_nothing(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    service = FakeService(seats=1, lease=timedelta(seconds=3))
    seat = service.async_seat(transport=SlowTransport(service.transport))
    until = time.monotonic() + ROUND_SECONDS
    async with asyncio.TaskGroup() as tasks:
        working = [
            tasks.create_task(_work_in_task(seat, service, dice=random.Random(f"{number}-{each}"), until=until))  # noqa: S311 as above
            for each in range(THREADS)
        ]
        await asyncio.sleep(ROUND_SECONDS)
        while not all(task.done() for task in working):  # one of them may just have begun to wait for a seat
            await seat.close()
    service.vacate()
    await seat.close()

    # Without awaiting anything: what the engine still did would be seen.
    _holds_nothing_and_asks_for_nothing(seat, service)
    assert [record.message for record in caplog.records if "fault" in record.message] == []


def test_threads_that_acquire_a_new_seat_at_once_ask_for_it_once() -> None:
    for _ in range(20):
        service = FakeService(seats=THREADS)
        seat, together = service.seat(), threading.Barrier(THREADS)

        def acquire(seat: seatlease.Seat, together: threading.Barrier) -> None:
            together.wait()
            seat.acquire()

        with ThreadPoolExecutor(THREADS) as threads:
            for acquiring in [threads.submit(acquire, seat, together) for _ in range(THREADS)]:
                acquiring.result()
        seat.close()

        assert service.requests == [("acquire", 201), ("release", 204)]


def test_who_is_cancelled_while_joining_those_who_share_a_seat_is_not_counted_among_them(state_folder: Path) -> None:
    service = FakeService(seats=1)
    seat = service.seat()
    name = seat_name(url=service.url, license_key=service.license_key, hardware_id="device-1", user="user-1")
    (state_folder / name).mkdir(parents=True)
    with ThreadPoolExecutor(1) as elsewhere:
        with FileLock(state_folder / name / "gate"):
            acquiring = elsewhere.submit(seat.acquire)
            time.sleep(0.3)  # it waits for the gate
            seat.cancel()
        with pytest.raises(seatlease.WaitCancelled):
            acquiring.result()

    assert list(state_folder.rglob("*.lock")) == []
    with service.seat():
        assert service.in_use == 1
    assert service.in_use == 0
