"""The line over HTTP: order, intervals, leaving, and what clients and admins are told."""

import asyncio
import math
import statistics
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from google.cloud import firestore

from shared.rules.line import MAX_WAIT, interval_at
from tests.support.client import Client, Clients, assert_error, code_of
from tests.support.servers import StartServers
from tests.support.tenant import Tenant

HOLD_SECONDS = 2.0


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


async def waiting(client: Client, until: str) -> dict[str, Any]:
    """Ask for a seat, insist on a place in the line, and return the answer."""
    response = await client.acquire(wait_until=until)
    assert response.status_code == 202, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_twelve_clients_get_two_seats_in_the_order_in_which_they_came(
    clients: Clients, console: firestore.Client
) -> None:
    tenant, until, random = Tenant.create(console, seats=2, members=12), in_an_hour(), Random(2026)  # noqa: S311 chance, no secret
    people = [clients.of(tenant, f"m{number}") for number in range(12)]
    held = [(client, await client.acquired()) for client in people[:2]]
    line = [await waiting(client, until) for client in people[2:]]
    served: list[int] = []

    for _ in line:
        holder, session_id = held.pop(0)
        await holder.release(session_id)
        left = [number for number in range(2, 12) if number not in served]
        answers = {number: await people[number].acquire(wait_until=until) for number in random.sample(left, len(left))}
        assert {each.status_code for each in answers.values()} <= {201, 202}
        granted = [number for number in left if answers[number].status_code == 201]
        served += granted
        held += [(people[number], answers[number].json()["session_id"]) for number in granted]

    assert served == [*range(2, 12)]
    assert [each["waiting"]["position"] for each in line] == [*range(1, 11)]
    for each in line:
        longest = interval_at(each["waiting"]["position"], free=0).total_seconds()
        assert math.floor(0.8 * longest) <= each["waiting"]["ask_again_in_seconds"] <= longest
    waited = [event["details"].get("waited_seconds") for event in tenant.events("session.acquired")]
    assert (waited[:2], None in waited[2:]) == ([None, None], False)
    assert tenant.places() == {}


async def test_the_answers_tell_a_client_where_it_stands(clients: Clients, console: firestore.Client) -> None:
    tenant, until = Tenant.create(console, seats=1), in_an_hour()
    holder, first, newcomer = (clients.of(tenant, f"m{number}") for number in range(3))
    session_id = await holder.acquired()

    place = await waiting(first, until)
    await holder.release(session_id)
    refused = await newcomer.acquire()
    usage = (await newcomer.usage()).json()["licenses"][0]["waiting"]
    granted = await first.acquire(wait_until=until)

    assert place.keys() == {"session_id", "license_id", "waiting", "server_time"}
    assert (place["waiting"]["position"], place["waiting"]["of"]) == (1, 1)
    assert_error(refused, 409, "SEAT_LIMIT_REACHED")
    details = refused.json()["error"]["details"]
    assert (details["in_use"], details["waiting"], details["for_waiting"]) == (0, 1, 1)
    assert "users who wait already" in refused.json()["error"]["message"]
    assert usage == {"count": 1, "since": place["waiting"]["since"]}
    assert granted.status_code == 201
    assert granted.json()["session_id"] == place["session_id"]
    assert granted.json()["waited_seconds"] >= 0


async def test_a_client_that_leaves_the_line_or_is_killed_holds_up_nobody(
    clients: Clients, console: firestore.Client
) -> None:
    tenant, until = Tenant.create(console, seats=1), in_an_hour()
    holder, leaving, killed, last = (clients.of(tenant, f"m{number}") for number in range(4))
    session_id = await holder.acquired()
    places = [await waiting(client, until) for client in (leaving, killed, last)]
    await holder.release(session_id)

    left = await leaving.release(places[0]["session_id"])
    behind = await last.acquire(wait_until=until)
    # What the killed one holds up ends by itself: two and a half intervals after it asked.
    stored = tenant.place(places[1]["session_id"]).get()
    tenant.fall_silent(places[1]["session_id"])
    served = await last.acquire(wait_until=until)

    assert (left.status_code, behind.status_code, served.status_code) == (204, 202, 201)
    assert stored.get("counts_until") - stored.get("asked_at") == timedelta(seconds=12.5)


@pytest.mark.parametrize("ahead", [timedelta(seconds=-1), MAX_WAIT + timedelta(minutes=1)])
async def test_a_wait_that_is_over_or_too_long_is_refused_with_its_field(
    clients: Clients, console: firestore.Client, ahead: timedelta
) -> None:
    tenant = Tenant.create(console, seats=0)

    response = await clients.of(tenant).acquire(wait_until=(datetime.now(UTC) + ahead).isoformat())

    assert_error(response, 400, "INVALID_REQUEST")
    assert [each["field"] for each in response.json()["error"]["details"]["fields"]] == ["wait_until"]
    assert tenant.places() == {}


# A hundred clients, at the pace that they are told


@dataclass(kw_only=True)
class Rush:
    """Clients that ask as often as they are told, hold a seat for a moment, and go."""

    until: str
    granted: int = 0
    asked: int = 0
    given_back_at: list[float] = field(default_factory=list)
    idle_for: list[float] = field(default_factory=list)

    async def client(self, client: Client) -> None:
        while (response := await client.acquire(wait_until=self.until)).status_code != 201:
            self.asked += 1
            await asyncio.sleep(self._pause(response))
        self.asked += 1
        self.granted += response.json()["waited_seconds"] is not None
        if self.given_back_at:
            self.idle_for.append(time.monotonic() - self.given_back_at.pop(0))
        await asyncio.sleep(HOLD_SECONDS)
        assert (await client.release(response.json()["session_id"])).status_code == 204
        self.given_back_at.append(time.monotonic())

    @staticmethod
    def _pause(response: httpx.Response) -> float:
        if response.status_code == 202:
            return float(response.json()["waiting"]["ask_again_in_seconds"])
        assert code_of(response) in {"CONTENTION", "STORE_UNAVAILABLE"}, response.text
        return float(response.headers["Retry-After"])


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place in the line, by the audit trail: until it has a seat, or counts no more."""

    user_id: str
    since: datetime
    until: datetime


def places_of(tenant: Tenant) -> list[Place]:
    ends: dict[str, datetime] = {}
    found = []
    for event in reversed(tenant.events()):
        user_id, details = event["user_id"], event["details"]
        match event["type"]:
            case "session.acquired":
                ends[user_id] = event["at"]
            case "session.gave_up":
                ends[user_id] = details["since"] + timedelta(seconds=details["waited_seconds"])
            case "session.queued":
                found.append(Place(user_id=user_id, since=details["since"], until=ends[user_id]))
    return found


def overtaking(tenant: Tenant, *, seats: int) -> list[str]:
    """The users who took a seat when more places before theirs waited than there were seats left."""
    places, found = places_of(tenant), []
    grants = tenant.events("session.acquired")
    ends = {event["user_id"]: event["at"] for event in tenant.events("session.released")}
    for grant in grants:
        user_id, at, number = grant["user_id"], grant["at"], grant["grant_number"]
        held = sum(ends[each["user_id"]] > at for each in grants if each["grant_number"] <= number)
        own = max((each.since for each in places if each.user_id == user_id and each.until == at), default=at)
        before = sum(each.since < own and at < each.until for each in places)
        if before > seats - held:
            found.append(user_id)
    return found


def promised_rate(places: int) -> float:
    """The most requests a second of so many who wait: each asks up to a fifth sooner than its interval."""
    intervals = (interval_at(position, free=0).total_seconds() for position in range(1, places + 1))
    return sum(1 / max(1, round(0.8 * interval)) for interval in intervals)


@pytest.mark.long
@pytest.mark.parametrize("processes", [1, 4])
async def test_a_hundred_clients_for_five_seats_are_served_in_order_and_ask_as_often_as_promised(
    http: httpx.AsyncClient, project: str, console: firestore.Client, start_servers: StartServers, processes: int
) -> None:
    tenant = Tenant.create(console, seats=5, members=100)
    release = start_servers("release")
    instances = [
        Clients(http=http, urls={**start_servers("acquire"), **release}, project=project) for _ in range(processes)
    ]
    rush = Rush(until=in_an_hour())
    began = time.monotonic()

    async with asyncio.TaskGroup() as everybody:
        for number in range(100):
            everybody.create_task(rush.client(instances[number % processes].of(tenant, f"m{number}")))
            await asyncio.sleep(0.05)

    took, idle, overtook = time.monotonic() - began, sorted(rush.idle_for), overtaking(tenant, seats=5)
    print(  # noqa: T201 what the long run is for
        f"\n{processes} processes: {took:.0f} s, {rush.asked} requests ({rush.asked / took:.1f} a second), "
        f"{len(overtook)} of {rush.granted} overtook another; from a release to the next grant: "
        f"median {statistics.median(idle):.1f} s, p95 {idle[int(0.95 * len(idle))]:.1f} s"
    )
    assert len(tenant.events("session.acquired")) == 100
    assert tenant.places() == {}
    assert len(overtook) <= (0 if processes == 1 else rush.granted / 20), overtook
    # Beside those who wait, each client asks for the first time once.
    assert rush.asked <= 100 + took * promised_rate(100)
