"""Twenty people want five seats: each gets a turn in the line, and nobody asks more often than was agreed."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

import seatlease
from tests.client.backends import RealBackend
from tests.client.conftest import BuildBackend

PEOPLE, SEATS, LEASE_SECONDS = 20, 5, 3


class Noted(httpx.AsyncHTTPTransport):
    """Sends requests, and notes when each was sent and what was answered."""

    def __init__(self, *, when_noted: Callable[[], None]) -> None:
        super().__init__(limits=httpx.Limits(max_keepalive_connections=0))
        self._when_noted = when_noted
        self.acquires: list[tuple[float, httpx.Response]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent_at = time.monotonic()
        response = await super().handle_async_request(request)
        if request.url.path.endswith("/acquire"):
            await response.aread()
            self.acquires.append((sent_at, response))
            self._when_noted()
        return response


@pytest.mark.long
async def test_everybody_gets_a_turn_and_nobody_asks_sooner_than_told(build_real: BuildBackend) -> None:
    backend: RealBackend = build_real(seats=SEATS, members=PEOPLE, lease_seconds=LEASE_SECONDS)
    most_at_once, at_work = 0, 0
    turns: dict[str, int] = defaultdict(int)
    loop, everybody_has_asked = asyncio.get_running_loop(), asyncio.Event()

    def look_around() -> None:  # in the thread of the seats
        if all(noted.acquires for noted in notes.values()):
            loop.call_soon_threadsafe(everybody_has_asked.set)

    notes = {f"m{number}": Noted(when_noted=look_around) for number in range(PEOPLE)}

    async def work(user: str) -> None:
        nonlocal most_at_once, at_work
        seat = backend.async_seat(user, wait=timedelta(minutes=2), transport=notes[user])
        async with seat:
            at_work += 1
            most_at_once = max(most_at_once, at_work)
            turns[user] += 1
            await everybody_has_asked.wait()  # so that everybody else has been refused once
            await asyncio.sleep(0.05)
            at_work -= 1

    await asyncio.gather(*(work(user) for user in notes))

    assert dict(turns) == dict.fromkeys(notes, 1)
    assert most_at_once <= SEATS
    assert backend.in_use == 0
    refused = 0
    for noted in notes.values():
        for (asked_at, response), (asked_again_at, _) in zip(noted.acquires, noted.acquires[1:], strict=False):
            refused += 1
            assert response.status_code == 202
            assert asked_again_at - asked_at >= response.json()["waiting"]["ask_again_in_seconds"]
    assert refused >= PEOPLE - SEATS


async def test_a_waiting_seat_outlasts_an_outage(build_real: BuildBackend) -> None:
    backend = build_real(seats=1)
    unreachable = asyncio.Event()

    def note(waiting: seatlease.Waiting) -> None:
        if isinstance(waiting.error, seatlease.ServiceUnreachable):
            unreachable.set()

    seat = backend.async_seat(wait=timedelta(minutes=1), on_wait=note)
    with backend.offline():
        acquiring = asyncio.create_task(seat.acquire())
        await asyncio.wait_for(unreachable.wait(), 10)

    await acquiring

    assert backend.in_use == 1
    await seat.close()
