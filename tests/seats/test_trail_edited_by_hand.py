"""The audit trail edited by hand, and the counters with it: seats are given on."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.rules.acquire import AcquireOutcome, Device, Granted, SeatLimitReached
from shared.seats.acquire import AcquireRequest, Acquires
from tests.support.connections import WatchedFirestore
from tests.support.tenant import Tenant

YEAR_9999 = datetime.max.replace(tzinfo=UTC)


async def asked(store: WatchedFirestore, policy: Policy, tenant: Tenant, user_id: str) -> AcquireOutcome:
    device = Device(hardware_id="d", ip_address=None, user_agent=None)
    request = AcquireRequest(user_id=user_id, license_key=tenant.license_key, device=device)
    return (await Acquires(store, policy).acquire(tenant.organization_id, request)).outcome


@pytest.mark.parametrize(
    "edit",
    [
        {"grant_number": None},
        {"grant_number": "two"},
        {"grant_number": 1},
        {"grant_number": 2**31 - 1},
        {"grant_number": 2**53 - 1},
        {"grant_number": 2**63 - 1},
        {"grant_number": firestore.DELETE_FIELD},
    ],
    ids=str,
)
async def test_the_numbers_of_the_latest_grants_are_edited_and_the_counters_gone(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, edit: dict[str, Any]
) -> None:
    tenant = Tenant.create(console, seats=4)
    for user_id in ("m0", "m1", "m2"):
        await asked(store, policy, tenant, user_id)
    for event in tenant.event_documents("session.acquired")[1:]:
        event.reference.update(edit)

    outcomes = []
    for user_id in ("m3", "m4", "olivia"):
        tenant.seats.delete()
        outcomes.append(await asked(store, policy, tenant, user_id))

    assert [isinstance(outcome, Granted) for outcome in outcomes] == [True, False, False]
    assert len(tenant.open_sessions()) == tenant.counters()["total"] == 4


@pytest.mark.parametrize(
    ("edit", "attempts"),
    [
        ({"details.attempts": 2**63 - 1}, 2**63 - 1),
        ({"details.attempts": 41}, 42),
        ({"details.attempts": "many"}, 1),
        ({"at": YEAR_9999}, 2),
        ({"at": datetime(1, 1, 1, tzinfo=UTC)}, 2),
        ({"published_at": YEAR_9999}, 2),
    ],
    ids=str,
)
async def test_what_an_admin_edits_in_a_denial_is_written_over_but_a_number_is_added_to(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, edit: dict[str, Any], attempts: int
) -> None:
    tenant = Tenant.create(console, seats=0)
    await asked(store, policy, tenant, "m0")
    for event in tenant.event_documents("session.denied"):
        event.reference.update(edit)

    outcome = await asked(store, policy, tenant, "m0")

    assert isinstance(outcome, SeatLimitReached)
    latest = max(tenant.events("session.denied"), key=lambda event: event["details"]["last_attempt_at"])
    assert latest["details"]["attempts"] == attempts
    assert latest["at"] == latest["details"]["last_attempt_at"].replace(second=0, microsecond=0)
    assert latest["published_at"] is None
