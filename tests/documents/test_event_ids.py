"""A subscriber gets the events of all organizations and takes one id for one event: no two of them share one."""

import asyncio

from google.cloud import firestore

from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.rules.acquire import Device
from shared.rules.digest import BASE32, DIGEST_LENGTH
from shared.seats.acquire import AcquireRequest, Acquires
from tests.support.connections import WatchedFirestore
from tests.support.tenant import Tenant


async def test_the_first_grants_of_two_organizations_are_two_events(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenants = [Tenant.create(console), Tenant.create(console)]
    device = Device(hardware_id="d", ip_address=None, user_agent=None)
    acquires = Acquires(store, policy)

    await asyncio.gather(
        *(
            acquires.acquire(
                tenant.organization_id, AcquireRequest(user_id="m0", license_key=tenant.license_key, device=device)
            )
            for tenant in tenants
        )
    )

    first, second = ([document.id for document in tenant.event_documents()] for tenant in tenants)
    assert len(first) == len(second) == 1
    assert first != second


def test_an_id_follows_from_the_organization_and_the_name() -> None:
    # Two releases of this program run side by side while one replaces the other, and have to agree.
    path = OrganizationPaths("acme").audit_event("session.acquired 1")

    event_id = path.removeprefix("organizations/acme/audit_events/")

    assert len(event_id) == DIGEST_LENGTH
    assert set(event_id) <= set(BASE32)
    assert path == OrganizationPaths("acme").audit_event("session.acquired 1")
    assert event_id not in OrganizationPaths("acme2").audit_event("session.acquired 1")
