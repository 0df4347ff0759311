"""What an operation costs in a group of one organization on one license, each of another user. Counted on the wire."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from google.cloud import firestore

from infra.pages.billed_operations import GROUP_SIZES, IN_GROUPS, Billed
from shared.documents.policy import Policy
from shared.documents.writing import expiry_shard
from shared.firestore.client import Firestore
from shared.firestore.group_commit import Answered
from shared.rules.acquire import AcquireOutcome, Device, Granted, Renewed, SeatLimitReached
from shared.rules.heartbeat import Extended, HeartbeatOutcome, StillFresh
from shared.rules.release import Released, ReleaseOutcome
from shared.rules.session import session_id_of
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.expire import Expiries
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.release import ReleaseRequest, Releases
from tests.support.tenant import LICENSE_ID, Tenant
from tests.support.wire import Wire

FIRST = "first"
"""Whose request is under way while the group forms."""


class World:
    """An organization with one license, and an instance of each function that has served it before."""

    def __init__(self, store: Firestore, wire: Wire, console: firestore.Client, policy: Policy, *, users: int) -> None:
        self.wire, self._console = wire, console
        self.users = [f"m{number}" for number in range(users)]
        self.tenant = Tenant.create(console, seats=users + 1, members=users)
        self.tenant.user(FIRST).set({"email": "first@example.com", "role": "member"})
        self._acquires, self._releases = Acquires(store, policy), Releases(store, policy)
        self._heartbeats = Heartbeats(store, policy)
        self.expiries = Expiries(store, policy, run_within=timedelta(seconds=45))

    def acquire(self, user: str, device: str = "d") -> Coroutine[Any, Any, Answered[AcquireOutcome]]:
        named = Device(hardware_id=device, ip_address=None, user_agent=None)
        request = AcquireRequest(user_id=user, license_key=self.tenant.license_key, device=named)
        return self._acquires.acquire(self.tenant.organization_id, request)

    def heartbeat(self, user: str) -> Coroutine[Any, Any, Answered[HeartbeatOutcome]]:
        request = HeartbeatRequest(user_id=user, session_id=_session_of(user))
        return self._heartbeats.heartbeat(self.tenant.organization_id, request)

    def release(self, user: str) -> Coroutine[Any, Any, Answered[ReleaseOutcome]]:
        request = ReleaseRequest(user_id=user, session_id=_session_of(user))
        return self._releases.release(self.tenant.organization_id, request)

    async def hold(self, users: Iterable[str], device: str = "d") -> None:
        answers = await asyncio.gather(*(self.acquire(user, device) for user in users))
        assert all(isinstance(answer.outcome, Granted) for answer in answers)

    async def know_sessions(self) -> None:
        """An instance learns a session's license at its first heartbeat."""
        await asyncio.gather(*map(self.heartbeat, [FIRST, *self.users]))

    def age(self, session_ids: Iterable[str], **fields: datetime) -> None:
        batch = self._console.batch()
        for session_id in session_ids:
            batch.update(self.tenant.session(session_id), fields)
        batch.commit()

    def make_heartbeats_due(self, users: Iterable[str]) -> None:
        self.age(map(_session_of, users), last_heartbeat_at=datetime.now(UTC) - timedelta(minutes=2))

    async def in_a_group(
        self, first: Awaitable[Answered[Any]], others: Collection[Coroutine[Any, Any, Answered[Any]]]
    ) -> list[Any]:
        """What the others are answered, who come while the first one's commit is under way, counted without it."""
        async with self._first_under_way(first):
            waiting = [asyncio.create_task(other) for other in others]
            await asyncio.sleep(0)  # each of them has begun, so it waits
            self.wire.forget()
        return [answered.outcome for answered in await asyncio.gather(*waiting)]

    @asynccontextmanager
    async def _first_under_way(self, first: Awaitable[Answered[Any]]) -> AsyncIterator[None]:
        with self.wire.holding_the_next_commit() as held:
            under_way = asyncio.ensure_future(first)
            assert await asyncio.to_thread(held.reached.wait, 5)
            yield
        await under_way


def _session_of(user: str, device: str = "d") -> str:
    return session_id_of(license_id=LICENSE_ID, user_id=user, hardware_id=device)


@pytest.fixture
def world(counted_store: Firestore, wire: Wire, console: firestore.Client, policy: Policy, size: int) -> World:
    return World(counted_store, wire, console, policy, users=size)


async def _granted(world: World) -> None:
    outcomes = await world.in_a_group(world.acquire(FIRST), [world.acquire(user) for user in world.users])
    assert _are(outcomes, Granted, world.users)


async def _renewed(world: World) -> None:
    await world.hold([FIRST, *world.users])
    outcomes = await world.in_a_group(world.acquire(FIRST), [world.acquire(user) for user in world.users])
    assert _are(outcomes, Renewed, world.users)


async def _refused(world: World) -> None:
    await world.hold([FIRST, *world.users], device="another")
    # Nobody was refused within the last second, so this group is the one that examines the sessions.
    renewed = world.acquire(FIRST, "another")
    outcomes = await world.in_a_group(renewed, [world.acquire(user) for user in world.users])
    assert _are(outcomes, SeatLimitReached, world.users)


async def _extended(world: World) -> None:
    await world.hold([FIRST, *world.users])
    await world.know_sessions()
    world.make_heartbeats_due([FIRST, *world.users])
    outcomes = await world.in_a_group(world.heartbeat(FIRST), [world.heartbeat(user) for user in world.users])
    assert _are(outcomes, Extended, world.users)


async def _too_early(world: World) -> None:
    await world.hold([FIRST, *world.users])
    await world.know_sessions()
    world.make_heartbeats_due([FIRST])
    outcomes = await world.in_a_group(world.heartbeat(FIRST), [world.heartbeat(user) for user in world.users])
    assert _are(outcomes, StillFresh, world.users)


async def _released(world: World) -> None:
    await world.hold([FIRST, *world.users])
    outcomes = await world.in_a_group(world.release(FIRST), [world.release(user) for user in world.users])
    assert _are(outcomes, Released, world.users)


async def _expired(world: World) -> None:
    devices = {user: _device_of_the_first_shard(user) for user in world.users}
    await asyncio.gather(*(world.acquire(user, device) for user, device in devices.items()))
    now = datetime.now(UTC)
    sessions = [_session_of(user, device) for user, device in devices.items()]
    world.age(sessions, lease_expires_at=now - timedelta(seconds=1), last_heartbeat_at=now - timedelta(minutes=6))
    world.wire.forget()
    report = await world.expiries.expire()
    assert (report.sessions_ended, report.sessions_left) == (len(world.users), 0)


def _device_of_the_first_shard(user: str) -> str:
    """All in one shard is the worst case: each of the others costs a read that finds nothing."""
    names = (f"d{number}" for number in count())
    return next(name for name in names if expiry_shard(_session_of(user, name)) == 0)


def _are(outcomes: Sequence[Any], kind: type, users: Sequence[str]) -> bool:
    return len(outcomes) == len(users) and all(isinstance(outcome, kind) for outcome in outcomes)


STORIES: dict[str, Callable[[World], Awaitable[None]]] = {
    "acquire, granted": _granted,
    "acquire, refused": _refused,
    "acquire, renewed": _renewed,
    "heartbeat": _extended,
    "heartbeat, too early": _too_early,
    "release": _released,
    "expire_sessions, each that lapsed": _expired,
}


def test_every_operation_of_the_table_of_groups_is_counted() -> None:
    assert STORIES.keys() == IN_GROUPS.keys()


@pytest.mark.parametrize("size", GROUP_SIZES)
@pytest.mark.parametrize("operation", STORIES)
async def test_a_group_calls_reads_and_writes_what_the_table_says(world: World, operation: str, size: int) -> None:
    await STORIES[operation](world)

    counted = Billed(rpcs=len(world.wire.rpcs), reads=world.wire.reads, writes=world.wire.writes)
    assert counted == IN_GROUPS[operation].of(size)


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """What each operation of a group may read at most, and what it writes."""

    operation: str
    size: int
    reads: float
    writes: int


# Written down apart from the table, which anybody may generate anew: to cost more than this takes a decision.
CEILINGS = (
    Ceiling(operation="acquire, granted", size=1, reads=5, writes=3),
    Ceiling(operation="heartbeat", size=1, reads=4, writes=1),
    Ceiling(operation="heartbeat", size=100, reads=2.1, writes=1),
)


@pytest.mark.parametrize(("size", "ceiling"), [(each.size, each) for each in CEILINGS])
async def test_two_round_trips_and_no_more_reads_and_writes_than_were_decided_on(
    world: World, ceiling: Ceiling
) -> None:
    await STORIES[ceiling.operation](world)

    assert world.wire.methods == ["BatchGetDocuments", "Commit"]
    assert world.wire.round_trips == 2
    assert world.wire.reads / ceiling.size <= ceiling.reads
    assert world.wire.writes / ceiling.size == ceiling.writes
