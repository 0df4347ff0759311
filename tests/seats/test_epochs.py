"""Grants of an organization are numbered within an epoch: no two grants ever have the same event id."""

import asyncio
from datetime import UTC, datetime

from google.cloud import firestore

from shared.admin.review import Reviews
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.rules.acquire import Device, Granted, SeatLimitReached
from shared.rules.digest import digest
from shared.rules.seat_use import SeatUse
from shared.seats.acquire import AcquireRequest, Acquires
from tests.support.connections import HeldCommit, WatchedFirestore
from tests.support.tenant import Tenant


def asking(tenant: Tenant, user: str) -> AcquireRequest:
    device = Device(hardware_id="d", ip_address=None, user_agent=None)
    return AcquireRequest(user_id=user, license_key=tenant.license_key, device=device)


async def takes_a_seat(store: WatchedFirestore, policy: Policy, tenant: Tenant, user: str) -> None:
    answered = await Acquires(store, policy).acquire(tenant.organization_id, asking(tenant, user))
    assert isinstance(answered.outcome, Granted)


def grants(tenant: Tenant) -> dict[str, int]:
    """The number of each grant, by its event's id."""
    return {event.id: event.get("grant_number") for event in tenant.event_documents("session.acquired")}


async def test_an_organization_whose_books_are_gone_uses_no_event_id_again(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    await takes_a_seat(store, policy, tenant, "m0")
    before = grants(tenant)
    for name in ("sessions", "audit_events", "usage", "reviews"):
        console.recursive_delete(tenant.organization.collection(name))

    await Reviews(store, policy).review(f"organizations/{tenant.organization_id}")
    await takes_a_seat(store, policy, tenant, "m0")

    after = grants(tenant)
    assert [*before.values()] == [*after.values()] == [1]
    assert before.keys().isdisjoint(after)


async def test_counters_that_are_made_anew_beside_their_trail_go_on_in_its_epoch(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    await takes_a_seat(store, policy, tenant, "m0")
    epoch = tenant.counters()["epoch"]
    tenant.seats.delete()

    await takes_a_seat(store, policy, tenant, "m1")

    assert tenant.counters()["epoch"] == epoch
    assert sorted(grants(tenant).values()) == [1, 2]


async def test_counters_of_an_earlier_version_go_on_without_an_epoch(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    checksum = SeatUse(by_license={}, grants=7).checksum
    tenant.seats.set({"total": 0, "by_license": {}, "grants": 7, "checksum": checksum, "updated_at": datetime.now(UTC)})

    await takes_a_seat(store, policy, tenant, "m0")

    (event,) = tenant.event_documents("session.acquired")
    assert ("epoch" in (event.to_dict() or {}), event.get("grant_number")) == (False, 8)
    paths = OrganizationPaths(tenant.organization_id)
    assert event.reference.path == paths.audit_event(digest("session.acquired", "8"))


async def test_a_first_grant_that_is_under_way_while_the_books_are_deleted_gives_no_second_seat(
    store: WatchedFirestore, another_store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=1)
    await Reviews(store, policy).review(f"organizations/{tenant.organization_id}")
    halt = HeldCommit(store)
    late = asyncio.create_task(Acquires(store, policy).acquire(tenant.organization_id, asking(tenant, "m0")))
    await halt.reached.wait()

    tenant.seats.delete()
    await takes_a_seat(another_store, policy, tenant, "m1")
    halt.let_go.set()

    assert isinstance((await late).outcome, SeatLimitReached)
    assert len(tenant.open_sessions()) == 1
