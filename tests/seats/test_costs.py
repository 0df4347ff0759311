"""The calls, reads and writes that ``infra/pages/costs.py`` reckons with are those on the wire. Counted, not timed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import firestore

from infra.local.audit_topic import TOPIC, create_topic
from infra.pages.billed_operations import DAILY_LOOK_READS_OF_A_DOCUMENT, OPERATIONS, Billed, reconcile_reads
from shared.admin.resync import Resync
from shared.audit.relay import Relays
from shared.audit.topic import Topic
from shared.documents.paths import run_path
from shared.documents.policy import Policy
from shared.firestore.client import Firestore
from shared.rules.acquire import Device, Granted, Renewed
from shared.rules.usage import Unchanged, Usage, UsageOutcome, View
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.expire import Expiries
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.reconcile import Reconciliations
from shared.seats.release import ReleaseRequest, Releases
from shared.seats.summarize_usage import Summaries
from shared.seats.usage import UsageRequest, Usages
from tests.support.tenant import Tenant
from tests.support.wire import Wire

RUN_WITHIN = timedelta(seconds=45)


def billed(wire: Wire) -> Billed:
    return Billed(rpcs=len(wire.rpcs), reads=wire.reads, writes=wire.writes)


class World:
    """One organization, and an instance of every function that has served it before."""

    def __init__(self, store: Firestore, wire: Wire, console: firestore.Client, policy: Policy, topic: Topic) -> None:
        self.wire, self.console, self.policy, self.store = wire, console, policy, store
        self.tenant = Tenant.create(console, seats=2)
        self.instance_id: str | None = None
        self.wait_until = datetime.now(UTC) + timedelta(hours=1)
        self.idle_for: timedelta | None = None
        self.acquires, self.releases = Acquires(store, policy), Releases(store, policy)
        self.heartbeats = Heartbeats(store, policy)
        self.usages = Usages(store, policy)
        self.expiries = Expiries(store, policy, run_within=RUN_WITHIN)
        self.reconciliations = Reconciliations(store, policy, run_within=RUN_WITHIN)
        self.resync = Resync(store)
        console.document(run_path("resync")).set({"walk": "", "began_at": datetime.now(UTC)})  # all was looked at today
        self.relays = Relays(store, topic, answer_within=policy.answer_within, run_within=RUN_WITHIN)

    async def acquire(
        self, number: int = 0, *, tenant: Tenant | None = None, by: Acquires | None = None, waits: bool = False
    ) -> str:
        tenant = tenant or self.tenant
        device = Device(hardware_id=f"d{number}", ip_address=None, user_agent=None, instance_id=self.instance_id)
        request = AcquireRequest(
            user_id=f"m{number}",
            license_key=tenant.license_key,
            device=device,
            wait_until=self.wait_until if waits else None,
        )
        answered = await (by or self.acquires).acquire(tenant.organization_id, request)
        return answered.outcome.session.session_id if isinstance(answered.outcome, Granted | Renewed) else ""

    async def heartbeat(self, session_id: str, *, is_due: bool = True) -> None:
        if is_due:
            aged = datetime.now(UTC) - timedelta(minutes=2)
            self.tenant.session(session_id).update({"last_heartbeat_at": aged})
        request = HeartbeatRequest(
            user_id="m0", session_id=session_id, instance_id=self.instance_id, idle_for=self.idle_for
        )
        await self.heartbeats.heartbeat(self.tenant.organization_id, request)

    async def release(self, session_id: str) -> None:
        request = ReleaseRequest(user_id="m0", session_id=session_id, instance_id=self.instance_id)
        await self.releases.release(self.tenant.organization_id, request)

    async def look(self, *known_versions: str) -> UsageOutcome:
        request = UsageRequest(
            user_id="olivia",
            license_key=None,
            page_size=100,
            after=None,
            view=View.NOW,
            known_versions=known_versions,
        )
        return (await self.usages.usage(self.tenant.organization_id, request)).outcome

    async def reconcile(self) -> None:
        await self.reconciliations.reconcile()
        await self.resync.touch_missed(run_within=RUN_WITHIN)


@pytest.fixture
def world(
    counted_store: Firestore, wire: Wire, console: firestore.Client, policy: Policy, project: str, pubsub_host: str
) -> Callable[[], World]:
    create_topic(pubsub_host, project=project)

    def make() -> World:
        # Inside the test's event loop, to which the topic's connection belongs.
        topic = Topic(project=project, topic=TOPIC, emulator_host=pubsub_host, publish_within=timedelta(seconds=8))
        return World(counted_store, wire, console, policy, topic)

    return make


async def _granted(world: World) -> None:
    await world.acquire(0)
    world.wire.forget()
    assert await world.acquire(1)


async def _refused(world: World) -> None:
    for number in range(2):
        await world.acquire(number)
    world.wire.forget()
    assert not await world.acquire(2)


async def _waiting(world: World) -> None:
    for number in range(2):
        await world.acquire(number)
    # By another instance, so that this one has examined nothing within the last second.
    await world.acquire(2, by=Acquires(world.store, world.policy), waits=True)
    (session_id,) = world.tenant.places()
    world.tenant.let_ask_again(session_id)
    world.wire.forget()
    assert not await world.acquire(2, waits=True)


async def _renewed(world: World) -> None:
    await world.acquire(0)
    world.wire.forget()
    assert await world.acquire(0)


async def _kept(world: World) -> None:
    session_id = await world.acquire(0)
    await world.heartbeat(session_id)
    world.tenant.session(session_id).update({"last_heartbeat_at": datetime.now(UTC) - timedelta(minutes=2)})
    world.wire.forget()
    await world.heartbeat(session_id, is_due=False)


async def _kept_too_early(world: World) -> None:
    session_id = await world.acquire(0)
    await world.heartbeat(session_id)
    world.wire.forget()
    await world.heartbeat(session_id, is_due=False)


async def _released(world: World) -> None:
    session_id = await world.acquire(0)
    world.wire.forget()
    await world.release(session_id)


async def _lapsed(world: World) -> None:
    world.tenant.let_lapse(await world.acquire(0))
    world.wire.forget()
    report = await world.expiries.expire()
    assert report.sessions_ended == 1


async def _looked_at(world: World) -> None:
    await world.acquire(0)
    world.wire.forget()
    assert isinstance(await world.look(), Usage)


async def _looked_at_again(world: World) -> None:
    await world.acquire(0)
    report = await world.look()
    assert isinstance(report, Usage)
    world.wire.forget()
    assert isinstance(await world.look(report.version), Unchanged)


async def _relayed(world: World) -> None:
    await world.acquire(0)
    (event,) = world.tenant.event_documents()
    world.wire.forget()
    await world.relays.relay(event.reference.path)


async def _nothing_to_do(world: World) -> None:
    await world.expiries.expire()
    await world.relays.relay_left_behind()


async def _nothing_open(world: World) -> None:
    await world.reconcile()


async def _summarized(world: World) -> None:
    summaries = Summaries(world.store, world.policy, run_within=RUN_WITHIN)
    await summaries.summarize()
    *_, yesterday, today = sorted(world.tenant.organization.collection("usage_days").stream(), key=lambda day: day.id)
    yesterday.reference.update({"is_settled": True})
    today.reference.update({"computed_at": today.get("computed_at") - timedelta(hours=1)})
    world.wire.forget()
    await summaries.summarize()


STORIES: dict[str, Callable[[World], Awaitable[None]]] = {
    "acquire, granted": _granted,
    "acquire, refused": _refused,
    "acquire, renewed": _renewed,
    "acquire, again from the line": _waiting,
    "heartbeat": _kept,
    "heartbeat, too early": _kept_too_early,
    "release": _released,
    "expire_sessions, each that lapsed": _lapsed,
    "usage, seats now, one in use": _looked_at,
    "usage, unchanged": _looked_at_again,
    "relay of an audit event": _relayed,
    "expire_sessions, nothing to do": _nothing_to_do,
    "reconcile, nothing open": _nothing_open,
    "summarize_usage, one organization and license": _summarized,
}


def test_every_operation_of_the_table_is_counted() -> None:
    assert STORIES.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("operation", STORIES)
async def test_an_operation_calls_reads_and_writes_what_the_table_says(
    world: Callable[[], World], operation: str
) -> None:
    made = world()

    await STORIES[operation](made)

    assert billed(made.wire) == OPERATIONS[operation]


OF_CLIENTS = [each for each in STORIES if each.startswith(("acquire", "heartbeat", "release"))]


@pytest.mark.parametrize("operation", OF_CLIENTS)
async def test_reservations_overdraft_features_groups_start_and_idle_limit_cost_no_call_no_read_and_no_write(
    world: Callable[[], World], operation: str
) -> None:
    made = world()
    for number, group in enumerate(["design", "sales", "sales"]):
        made.tenant.user(f"m{number}").update({"groups": [group]})
    made.tenant.license().update(
        {
            "max_concurrent_seats": 1,
            "overdraft_seats": 1,
            "reservations": {"design": 1},
            "allowed_groups": ["design", "sales"],
            "features": {"edition": "pro"},
            "starts_at": datetime.now(UTC) - timedelta(days=1),
            "expires_at": datetime.now(UTC) + timedelta(days=1),
            "idle_seconds": 600,
        }
    )
    made.idle_for = timedelta(0)

    await STORIES[operation](made)

    assert billed(made.wire) == OPERATIONS[operation]


@pytest.mark.parametrize("operation", OF_CLIENTS)
async def test_a_device_limit_costs_an_acquire_one_call_and_one_read_more_and_nothing_else(
    world: Callable[[], World], operation: str
) -> None:
    made, without = world(), OPERATIONS[operation]
    made.tenant.license().update({"max_devices_per_user": 2})
    more = 1 if operation.startswith("acquire") else 0

    await STORIES[operation](made)

    # One read at least, as for every query: a user's first device has no session to be found, a renewal has its own.
    assert billed(made.wire) == replace(without, rpcs=without.rpcs + more, reads=without.reads + more)


@pytest.mark.parametrize("operation", OF_CLIENTS)
async def test_to_name_an_instance_costs_no_call_no_read_and_no_write(
    world: Callable[[], World], operation: str
) -> None:
    made = world()
    made.instance_id = "instance-a-instance"

    await STORIES[operation](made)

    assert billed(made.wire) == OPERATIONS[operation]


async def test_the_daily_look_reads_what_the_table_says_of_documents(world: Callable[[], World]) -> None:
    made = world()
    made.console.document(run_path("resync")).delete()
    documents = 2 + len(list(made.tenant.organization.collection("users").list_documents()))
    made.wire.forget()

    await made.resync.touch_missed(run_within=RUN_WITHIN)

    # Beside them, where the last look stopped; it is noted after each of the three collections.
    assert (made.wire.reads, made.wire.writes) == (1 + documents * DAILY_LOOK_READS_OF_A_DOCUMENT, 3)


async def test_a_run_of_reconcile_reads_what_the_table_says_of_sessions_and_organizations(
    world: Callable[[], World],
) -> None:
    made = world()
    grants = 5
    tenants = [Tenant.create(made.console, seats=9, members=grants) for _ in range(3)]
    for tenant in tenants:
        for number in range(grants):
            await made.acquire(number, tenant=tenant)
        for event in tenant.event_documents():
            event.reference.update({"unpublished_shard": firestore.DELETE_FIELD})
    made.wire.forget()

    await made.reconcile()

    reads = reconcile_reads(sessions=len(tenants) * grants, organizations=len(tenants))
    assert (made.wire.reads, made.wire.writes) == (reads, 0)
