"""Everything at once, over processes: what the audit trail tells afterwards proves that no cap was ever exceeded.

Devices acquire, keep, give back and vanish; two processes of every function race for the same sessions; an admin lets
leases lapse and deactivates people; and the events travel to a subscriber the way they do in the cloud.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest
from google.cloud import firestore

from infra.local.emulators import register_triggers
from tests.infra.served import until
from tests.support.client import Client, Clients, code_of
from tests.support.servers import StartFunction, StartGateway
from tests.support.subscriber import Subscriber
from tests.support.tenant import Snapshot, Tenant

SECONDS = 20
CAPS, ORGANIZATION_CAP = {"license-1": 4, "license-2": 3}, 5
USERS, DEVICES = 8, 12
RACING = ("acquire", "heartbeat", "release", "expire_sessions", "reconcile")
ENDS = {"session.released", "session.expired", "session.revoked"}
EXPECTED_ANSWERS = {
    "acquire 200",
    "acquire 201",
    "acquire SEAT_LIMIT_REACHED",
    "acquire ORGANIZATION_SEAT_LIMIT_REACHED",
    "acquire USER_INACTIVE",
    "heartbeat 200",
    "heartbeat SESSION_EXPIRED",
    "heartbeat SESSION_RELEASED",
    "heartbeat SESSION_REVOKED",
    "heartbeat USER_INACTIVE",
    "release 204",
    "expire_sessions 200",
    "reconcile 200",
    # On a slow machine; the client asks again, and what it asked for may have been written nevertheless.
    "acquire CONTENTION",
    "acquire STORE_UNAVAILABLE",
    "heartbeat CONTENTION",
    "heartbeat STORE_UNAVAILABLE",
    "release CONTENTION",
    "release STORE_UNAVAILABLE",
}


@dataclass(kw_only=True)
class Race:
    """Everybody who takes part, and the answers that they got."""

    tenant: Tenant
    clients: list[Clients]
    until: float
    answers: Counter[str] = field(default_factory=Counter)
    random: Random = field(default_factory=lambda: Random(2026))  # noqa: S311 chance, no secret

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.until

    async def device(self, number: int) -> None:
        """Work: take a seat of some license, keep it for a while, and leave it in one way or another."""
        while self.goes_on:
            license_id = self.random.choice(list(CAPS))
            granted = await self._answer("acquire", self._client(number, license_id).acquire())
            if granted.is_success:
                await self._work(number, license_id, granted.json()["session_id"])
            await self._pause()

    async def _work(self, number: int, license_id: str, session_id: str) -> None:
        for _ in range(self.random.randrange(4)):
            await self._pause()
            await self._answer("heartbeat", self._client(number, license_id).heartbeat(session_id))
        match self.random.randrange(4):
            case 0 | 1:
                await self._answer("release", self._client(number, license_id).release(session_id))
            case 2:
                await asyncio.gather(
                    self._answer("acquire", self._client(number, license_id).acquire()),
                    self._answer("heartbeat", self._client(number, license_id).heartbeat(session_id)),
                    self._answer("release", self._client(number, license_id).release(session_id)),
                    self._answer("acquire", self._client(number, license_id).acquire()),
                )
            case _:
                pass  # gone without a word

    async def schedule(self, function: str, clients: Clients) -> None:
        while self.goes_on:
            await self._answer(function, clients.http.post(clients.urls[function]))
            await self._pause(0.5)

    async def admin(self) -> None:
        """Let one lease lapse after the other, and deactivate for a moment somebody who holds a seat."""
        while self.goes_on:
            held = await asyncio.to_thread(self._open_session_documents)
            if held:
                await asyncio.to_thread(self.tenant.let_lapse, self.random.choice(held).id)
                user = self.tenant.user(self.random.choice(held).get("user_id"))
                await asyncio.to_thread(user.update, {"is_active": False})
                await self._pause(0.5)
                await asyncio.to_thread(user.update, {"is_active": True})
            await self._pause(0.5)

    def _open_session_documents(self) -> list[Snapshot]:
        return [each for each in self.tenant.organization.collection("sessions").stream() if not each.get("ended_at")]

    def _client(self, number: int, license_id: str) -> Client:
        """The device, talking to one of the processes."""
        key = f"{license_id} {self.tenant.license_key}"
        clients = self.random.choice(self.clients)
        return clients.of(self.tenant, f"m{number % USERS}", hardware_id=f"device-{number}", license_key=key)

    async def _answer(self, function: str, request: Awaitable[httpx.Response]) -> httpx.Response:
        response = await request
        self.answers[f"{function} {response.status_code if response.is_success else code_of(response)}"] += 1
        return response

    async def _pause(self, seconds: float = 0.25) -> None:
        await asyncio.sleep(self.random.uniform(0, 2 * seconds))


@pytest.fixture
def project() -> str:
    """A project of the test's own: the scheduled functions find nothing else in it."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def two_of_each(start_server: StartFunction, http: httpx.AsyncClient, project: str) -> list[Clients]:
    """Two processes of every racing function."""
    started = [{name: start_server(name, GOOGLE_CLOUD_PROJECT=project) for name in RACING} for _ in range(2)]
    for processes in started:
        for process in processes.values():
            process.wait_until_ready()
    urls = [{name: process.url for name, process in processes.items()} for processes in started]
    return [Clients(http=http, urls=each, project=project) for each in urls]


@pytest.fixture
def delivery(
    start_server: StartFunction, start_gateway: StartGateway, project: str, firestore_host: str, events_port: int
) -> None:
    """The emulator's document events reach the relay."""
    relay = start_server("relay_audit", GOOGLE_CLOUD_PROJECT=project)
    relay.wait_until_ready()
    start_gateway({"relay_audit": relay.url}, port=events_port)
    register_triggers(firestore_host, project=project, names=["relay_audit"])


def _assert_no_cap_was_ever_exceeded(trail: list[Snapshot]) -> None:
    """Replay the trail in the order of the commits; those of one commit have one time, and its ends make room."""
    in_use, most = Counter[str](), 0
    for event in sorted(trail, key=lambda each: (each.create_time, each.get("type") not in ENDS)):
        license_id = event.get("license_id")
        in_use[license_id] += -1 if event.get("type") in ENDS else 1
        assert 0 <= in_use[license_id] <= CAPS[license_id], event.to_dict()
        assert in_use.total() <= ORGANIZATION_CAP, event.to_dict()
        most = max(most, in_use.total())
    assert most == ORGANIZATION_CAP, "a cap that was never reached proves nothing"


def _assert_every_tenure_is_told_once(trail: list[dict[str, Any]], sessions: Mapping[str, dict[str, Any]]) -> None:
    begun = Counter((event["session_id"], event["at"]) for event in trail if event["type"] == "session.acquired")
    ended = Counter((event["session_id"], event["details"]["started_at"]) for event in trail if event["type"] in ENDS)
    open_now = {(key, held["started_at"]) for key, held in sessions.items() if held["ended_at"] is None}
    assert set(begun.values()) == {1}
    assert set(ended.values()) == {1}
    assert open_now <= set(begun)
    assert set(ended) == set(begun) - open_now


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("delivery")
async def test_no_cap_is_ever_exceeded_and_every_fact_is_told_once_and_reaches_the_subscriber(
    console: firestore.Client, two_of_each: list[Clients], subscriber: Subscriber
) -> None:
    tenant = Tenant.create(console, seats=0, organization_seats=ORGANIZATION_CAP, members=USERS)
    for license_id, seats in CAPS.items():
        tenant.add_license(license_id, f"{license_id} {tenant.license_key}", seats=seats, lease_seconds=3)
    race = Race(tenant=tenant, clients=two_of_each, until=time.monotonic() + SECONDS)

    async with asyncio.TaskGroup() as group:
        for number in range(DEVICES):
            group.create_task(race.device(number))
        for clients in two_of_each:
            group.create_task(race.schedule("expire_sessions", clients))
            group.create_task(race.schedule("reconcile", clients))
        group.create_task(race.admin())

    assert set(race.answers) <= EXPECTED_ANSWERS, race.answers
    documents = tenant.event_documents()
    events = [document.to_dict() or {} for document in documents]
    kinds = Counter(event["type"] for event in events)
    assert set(kinds) == {"session.acquired", "session.denied", *ENDS}, "nothing had to be repaired, and all happened"
    sessions = {each.id: each.to_dict() or {} for each in tenant.organization.collection("sessions").stream()}
    held = Counter(each["license_id"] for each in sessions.values() if each["ended_at"] is None)
    counters = tenant.counters()
    assert {key: seats for key, seats in counters["by_license"].items() if seats} == dict(held)
    assert (counters["total"], counters["grants"]) == (held.total(), kinds["session.acquired"])
    unanswered = race.answers["acquire CONTENTION"] + race.answers["acquire STORE_UNAVAILABLE"]
    assert 0 <= kinds["session.acquired"] - race.answers["acquire 201"] <= unanswered
    numbers = [event["grant_number"] for event in events if event["type"] == "session.acquired"]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    _assert_no_cap_was_ever_exceeded([each for each in documents if each.get("type") != "session.denied"])
    _assert_every_tenure_is_told_once([event for event in events if event["type"] != "session.denied"], sessions)

    # Every event reaches the subscriber by itself; a denial when its minute is over, with its final number.
    denials = [document for document in documents if document.get("type") == "session.denied"]
    subscriber.wait_for({document.id for document in documents} - {denial.id for denial in denials})
    assert [each for each in subscriber.of(tenant) if each.event["type"] == "session.denied"] == []
    for denial in denials:
        tenant.age(denial.reference)
    await race.clients[0].http.post(race.clients[0].urls["expire_sessions"])
    subscriber.wait_for({denial.id for denial in denials})
    told = [message.event for message in subscriber.of(tenant) if message.event["type"] == "session.denied"]
    assert len(told) == len(denials), "each is published once"
    attempts = sum(event["details"]["attempts"] for event in told)
    limits = ("acquire SEAT_LIMIT_REACHED", "acquire ORGANIZATION_SEAT_LIMIT_REACHED")
    assert 0 <= attempts - sum(race.answers[limit] for limit in limits) <= unanswered
    # An event is received before it is stamped.
    until(lambda: all(each.get("published_at") for each in tenant.event_documents()), what="the stamp of every event")
