"""A session that a person opened again in the console ends like any other, with an event of its own."""

import asyncio
from datetime import timedelta

from google.cloud import firestore

from shared.documents.policy import Policy
from shared.rules.acquire import Device, Granted
from shared.rules.release import Released
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.expire import Expiries
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import WatchedFirestore
from tests.support.tenant import Tenant


async def opened_again(store: WatchedFirestore, policy: Policy, tenant: Tenant) -> str:
    """A session that was released, and whose end somebody took out of its document."""
    answered = await Acquires(store, policy).acquire(tenant.organization_id, asking(tenant, "m0"))
    assert isinstance(answered.outcome, Granted)
    session_id = answered.outcome.session.session_id
    await Releases(store, policy).release(tenant.organization_id, ReleaseRequest(user_id="m0", session_id=session_id))
    tenant.session(session_id).update({"ended_at": None, "end_reason": None})
    return session_id


def asking(tenant: Tenant, user_id: str) -> AcquireRequest:
    device = Device(hardware_id="d", ip_address=None, user_agent=None)
    return AcquireRequest(user_id=user_id, license_key=tenant.license_key, device=device)


def ends(tenant: Tenant) -> list[str]:
    return sorted(event["type"] for event in tenant.events() if event["type"] != "session.acquired")


async def test_it_can_be_released_again(store: WatchedFirestore, console: firestore.Client, policy: Policy) -> None:
    tenant = Tenant.create(console)
    session_id = await opened_again(store, policy, tenant)
    again = ReleaseRequest(user_id="m0", session_id=session_id)

    answered = await Releases(store, policy).release(tenant.organization_id, again)

    assert isinstance(answered.outcome, Released)
    assert ends(tenant) == ["session.released", "session.released"]


async def test_its_seat_is_given_away_when_it_lapses(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=1)
    session_id = await opened_again(store, policy, tenant)
    tenant.let_lapse(session_id)
    # The counter says that the license is empty; only a second request finds that it is not.
    acquires = Acquires(store, policy)

    answers = await asyncio.gather(
        *(acquires.acquire(tenant.organization_id, asking(tenant, user_id)) for user_id in ("m1", "m2"))
    )

    assert [isinstance(answer.outcome, Granted) for answer in answers] == [True, False]
    assert tenant.session(session_id).get().get("end_reason") == "expired"
    assert tenant.counters()["total"] == len(tenant.open_sessions()) == 1


async def test_the_scheduled_function_ends_it(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console)
    session_id = await opened_again(store, policy, tenant)
    tenant.let_lapse(session_id)

    report = await Expiries(store, policy, run_within=timedelta(minutes=1)).expire()

    assert (report.sessions_ended, report.organizations_failed) == (1, 0)
    assert ends(tenant) == ["session.expired", "session.released"]
