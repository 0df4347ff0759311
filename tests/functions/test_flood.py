"""A flood of refusals: hundreds of attempts a second, in the served function."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from google.cloud import firestore

from shared.seats.denials import CAREFUL_A_SECOND
from tests.support.client import Client, Clients, code_of
from tests.support.tenant import Tenant
from tests.support.waiting import until

_DEVICES = 40
_NOTICED_WITHIN_SECONDS = 5.0
"""A second, and what a busy machine takes."""


class _Crowd:
    """Clients that do not wait between their attempts."""

    def __init__(self, clients: Clients, tenant: Tenant) -> None:
        self._clients = [clients.of(tenant, "m1", hardware_id=f"device-{n}") for n in range(_DEVICES)]
        self.refused = 0
        self.granted: list[Client] = []
        self._ends = asyncio.Event()

    async def ask(self) -> None:
        await asyncio.gather(*(self._ask(client) for client in self._clients))

    def end(self) -> None:
        self._ends.set()

    async def _ask(self, client: Client) -> None:
        while not self._ends.is_set():
            answer = await client.acquire()
            if answer.status_code == 201:
                self.granted.append(client)
                return
            assert code_of(answer) == "SEAT_LIMIT_REACHED", answer.text
            self.refused += 1


@asynccontextmanager
async def _flooded(clients: Clients, tenant: Tenant) -> AsyncIterator[_Crowd]:
    """The function while it refuses more than it does with care, within one minute of the database's clock."""
    # The clock of this machine is the emulator's too: what is counted together must fall into one minute.
    if (left := 60 - time.time() % 60) < 15:
        await asyncio.sleep(left)
    crowd = _Crowd(clients, tenant)
    asking = asyncio.create_task(crowd.ask())
    try:
        await until(lambda: crowd.refused > 6 * CAREFUL_A_SECOND, within=30)
        yield crowd
    finally:
        crowd.end()
        await asking


async def test_every_attempt_of_a_flood_is_counted_a_second_later_at_most(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1)
    await clients.of(tenant, "m0").acquired()

    async with _flooded(clients, tenant) as crowd:
        pass

    assert crowd.refused > 6 * CAREFUL_A_SECOND

    def counted() -> int:
        return sum(event["details"]["attempts"] for event in tenant.events("session.denied"))

    await until(lambda: counted() == crowd.refused, within=_NOTICED_WITHIN_SECONDS)
    await asyncio.sleep(1.5)
    assert counted() == crowd.refused
    denials = tenant.events("session.denied")
    assert {event["hardware_id"] for event in denials} == {f"device-{n}" for n in range(_DEVICES)}


async def test_a_device_that_comes_in_a_flood_is_on_record_before_it_is_answered(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1)
    await clients.of(tenant, "m0").acquired()

    async with _flooded(clients, tenant):
        answer = await clients.of(tenant, "m2", hardware_id="late").acquire()
        on_record = [event for event in tenant.events("session.denied") if event["hardware_id"] == "late"]

    assert code_of(answer) == "SEAT_LIMIT_REACHED"
    assert [event["details"]["attempts"] for event in on_record] == [1]


async def test_a_seat_that_is_given_back_in_a_flood_is_given_away_at_once_and_only_once(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1)
    holder = clients.of(tenant, "m0")
    session_id = await holder.acquired()

    async with _flooded(clients, tenant) as crowd:
        assert (await holder.release(session_id)).status_code == 204
        refused = crowd.refused
        await until(lambda: len(crowd.granted) == 1, within=_NOTICED_WITHIN_SECONDS)
        # Whoever asked before the release may still have been under way, and of those who asked after it all but one.
        assert crowd.refused - refused <= 4 * _DEVICES

    assert len(crowd.granted) == 1
    assert len(tenant.open_sessions()) == 1


async def test_a_session_ended_by_hand_makes_room_in_a_flood(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    session_id = await clients.of(tenant, "m0").acquired()

    async with _flooded(clients, tenant) as crowd:
        tenant.session(session_id).delete()
        await until(lambda: len(crowd.granted) == 1, within=_NOTICED_WITHIN_SECONDS)

    assert len(tenant.open_sessions()) == 1


async def test_a_cap_that_is_raised_in_a_flood_counts_at_once(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    await clients.of(tenant, "m0").acquired()

    async with _flooded(clients, tenant) as crowd:
        tenant.license().update({"max_concurrent_seats": 3})
        await until(lambda: len(crowd.granted) == 2, within=_NOTICED_WITHIN_SECONDS)

    assert len(tenant.open_sessions()) == 3


async def test_a_lease_that_ends_in_a_flood_makes_room(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1)
    tenant.license().update({"lease_seconds": 4})
    await clients.of(tenant, "m0").acquired()

    async with _flooded(clients, tenant) as crowd:
        await until(lambda: bool(crowd.granted), within=4 + _NOTICED_WITHIN_SECONDS)

    assert crowd.granted
    assert len(tenant.open_sessions()) == 1
