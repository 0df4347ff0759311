"""The audit trail edited by hand, and the counters with it: seats are given on."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.firestore.errors import StoreError
from shared.rules.acquire import AcquireOutcome, Device, Granted, SeatLimitReached
from shared.seats.acquire import AcquireRequest, Acquires
from tests.support.connections import WatchedFirestore
from tests.support.tenant import Tenant

YEAR_9999 = datetime.max.replace(tzinfo=UTC)


async def asked(store: WatchedFirestore, policy: Policy, tenant: Tenant, user_id: str) -> AcquireOutcome:
    device = Device(hardware_id="d", ip_address=None, user_agent=None)
    request = AcquireRequest(user_id=user_id, license_key=tenant.license_key, device=device)
    return (await Acquires(store, policy).acquire(tenant.organization_id, request)).outcome


NUMBERS = [
    {"grant_number": None},
    {"grant_number": "two"},
    {"grant_number": 1},
    {"grant_number": 1.5},
    {"grant_number": 2**31},
    {"grant_number": 2**63 - 1},
    {"grant_number": inf},
    {"grant_number": firestore.DELETE_FIELD},
]


async def trail_with(store: WatchedFirestore, policy: Policy, tenant: Tenant, edit: dict[str, Any]) -> None:
    """Grant three seats, and edit the events of the second and the third."""
    for user_id in ("m0", "m1", "m2"):
        await asked(store, policy, tenant, user_id)
    for event in tenant.event_documents("session.acquired")[1:]:
        event.reference.update(edit)


@pytest.mark.parametrize("edit", NUMBERS, ids=str)
async def test_the_numbers_of_grants_in_the_trail_do_not_matter_while_there_are_counters(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, edit: dict[str, Any]
) -> None:
    tenant = Tenant.create(console, seats=4)
    await trail_with(store, policy, tenant, edit)

    outcomes = [await asked(store, policy, tenant, user_id) for user_id in ("m3", "m4")]

    assert [isinstance(outcome, Granted) for outcome in outcomes] == [True, False]
    assert len(tenant.open_sessions()) == tenant.counters()["total"] == 4


@pytest.mark.parametrize(
    "edit", [*NUMBERS[:3], *(pytest.param(edit, marks=pytest.mark.long) for edit in NUMBERS[3:])], ids=str
)
async def test_where_the_counters_are_gone_too_no_seat_is_given_too_many(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, edit: dict[str, Any]
) -> None:
    tenant = Tenant.create(console, seats=4)
    await trail_with(store, policy, tenant, edit)
    impatient = replace(policy, answer_within=timedelta(seconds=0.5))

    for user_id in ("m3", "m4"):
        tenant.seats.delete()
        # Where the highest number is too low, the next grant has the name of an old one, and no attempt succeeds.
        # Which error the deadline finds depends on how fast the emulator answered.
        with suppress(StoreError):
            await asked(store, impatient, tenant, user_id)

    assert 3 <= len(tenant.open_sessions()) <= 4


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
