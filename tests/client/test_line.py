"""Waiting in the service's line: the place is told, kept as long as the program waits, and given up with the wait."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

import seatlease
from seatlease import State
from seatlease._keeping.pacing import LONGEST_IN_LINE, line_until
from seatlease.testing import FakeService
from tests.client.backends import Backend
from tests.client.test_terms import Tampering
from tests.support.waiting import wait_until

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class InBackground:
    """A program that waits for a seat, and what it was told."""

    def __init__(self, seat: Callable[..., seatlease.Seat], **options: Any) -> None:  # noqa: ANN401 the seat's own
        self.told: list[seatlease.Waiting] = []
        self.seat = seat(on_wait=self.told.append, **{"wait": 5 * MINUTE, **options})
        self.error: seatlease.SeatleaseError | None = None
        self._thread = threading.Thread(target=self._acquire)
        self._thread.start()

    def stands_at(self, *place: int) -> None:
        wait_until(lambda: bool(self.told) and (self.told[-1].position, self.told[-1].of) == place, within=30)

    def ends(self) -> State:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.seat.state

    def _acquire(self) -> None:
        try:
            self.seat.acquire()
        except seatlease.SeatleaseError as error:
            self.error = error


@pytest.mark.long
def test_a_place_is_told_and_kept_over_several_asks_and_who_came_first_is_served_first(backend: Backend) -> None:
    with backend.seat("olivia") as holder, backend.seat("m0"):
        first = InBackground(lambda **options: backend.seat("m1", **options))
        first.stands_at(1, 1)
        second = InBackground(lambda **options: backend.seat("m2", **options))
        second.stands_at(2, 2)
        wait_until(lambda: len(second.told) > 1, within=30)
        with pytest.raises(seatlease.NoSeatFree) as refused:
            backend.seat("olivia", hardware_id="desk").acquire()

        holder.close()
        served = first.ends()
        second.stands_at(1, 1)
        since = {each.error.since for each in second.told if isinstance(each.error, seatlease.InLine)}
        first.seat.close()

        assert (served, second.ends(), len(since)) == (State.ACTIVE, State.ACTIVE, 1)
        assert refused.value.waiting == 2
        second.seat.close()


def test_who_stops_waiting_gives_the_place_up(backend: Backend) -> None:
    with backend.seat("olivia"), backend.seat("m0"):
        first = InBackground(lambda **options: backend.seat("m1", **options))
        first.stands_at(1, 1)
        second = InBackground(lambda **options: backend.seat("m2", **options))
        second.stands_at(2, 2)

        first.seat.cancel()
        first.ends()

        assert isinstance(first.error, seatlease.WaitCancelled)
        second.stands_at(1, 1)
        second.seat.close()
        second.ends()
        with pytest.raises(seatlease.NoSeatFree) as refused:
            backend.seat("olivia", hardware_id="desk").acquire()
        assert refused.value.waiting == 0


def test_a_wait_that_is_over_ends_with_the_reason_and_without_a_place(backend: Backend) -> None:
    with backend.seat("olivia"), backend.seat("m0"):
        waits = InBackground(lambda **options: backend.seat("m1", **options), wait=timedelta(seconds=3))

        assert waits.ends() is State.NOT_ACQUIRED
        assert isinstance(waits.error, seatlease.NoSeatFree)
        assert "Every seat is in use (2 of 2)" in waits.error.message
        with pytest.raises(seatlease.NoSeatFree) as refused:
            backend.seat("m2").acquire()
        assert refused.value.waiting == 0


def test_who_does_not_wait_is_told_that_the_free_seats_are_for_those_who_do() -> None:
    service = FakeService()
    service.occupy()
    waits = InBackground(service.seat)
    waits.stands_at(1, 1)
    service.vacate()

    with pytest.raises(seatlease.NoSeatFree, match="for users who wait already") as refused:
        service.seat(user="user-2").acquire()

    assert (refused.value.in_use, refused.value.waiting) == (0, 1)
    assert waits.ends() is State.ACTIVE
    waits.seat.close()


class BeforeTheLine(Tampering):
    """A service from before the line: it knows no ``wait_until``."""

    def __init__(self, behind: httpx.AsyncBaseTransport) -> None:
        super().__init__(behind)
        self.refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if b'"wait_until"' not in await request.aread():
            return await super().handle_async_request(request)
        self.refused += 1
        fields = [{"field": "wait_until", "problem": "Extra inputs are not permitted"}]
        error = {"code": "INVALID_REQUEST", "message": "m", "request_id": "r", "details": {"fields": fields}}
        return httpx.Response(400, json={"error": error})


@pytest.mark.long
def test_a_service_from_before_the_line_is_asked_as_before() -> None:
    service = FakeService()
    service.occupy()
    old = BeforeTheLine(service.transport)

    waits = InBackground(service.seat, transport=old, wait=timedelta(seconds=4))
    waits.ends()

    assert isinstance(waits.error, seatlease.NoSeatFree)
    assert [each.position for each in waits.told] == [None]
    assert (old.refused, service.requests) == (1, [("acquire", 409)] * 2)


def test_a_long_wait_asks_for_more_time_on_the_way_and_seldom() -> None:
    asked, until = [], None
    for minutes in range(0, 24 * 60, 10):
        at = NOW + minutes * MINUTE
        until = line_until(until, left=(NOW + 24 * 60 * MINUTE - at).total_seconds(), now=at)
        assert until is not None
        assert at < until <= at + LONGEST_IN_LINE
        asked.append(until)

    assert len(set(asked)) < 20
    assert all(before <= after for before, after in pairwise(asked))
    assert line_until(None, left=0.5, now=NOW) is None
