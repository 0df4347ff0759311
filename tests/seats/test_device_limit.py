"""The device limit on Firestore, where a user's leases have run out."""

import asyncio

from google.cloud import firestore

from shared.documents.policy import Policy
from shared.firestore.client import Firestore
from shared.rules.acquire import AcquireOutcome, Device, DeviceLimitReached, Granted
from shared.rules.session import session_id_of
from shared.seats.acquire import AcquireRequest, Acquires
from tests.support.tenant import LICENSE_ID, Tenant


async def test_two_devices_whose_leases_ran_out_and_ask_at_once_leave_one_session(
    store: Firestore, console: firestore.Client, policy: Policy
) -> None:
    tenant, acquires = Tenant.create(console), Acquires(store, policy)

    async def acquire(user_id: str, hardware_id: str) -> AcquireOutcome:
        device = Device(hardware_id=hardware_id, ip_address=None, user_agent=None)
        asked = AcquireRequest(user_id=user_id, license_key=tenant.license_key, device=device)
        return (await acquires.acquire(tenant.organization_id, asked)).outcome

    for hardware_id in ("one", "two"):
        await acquire("m0", hardware_id)
        tenant.let_lapse(session_id_of(license_id=LICENSE_ID, user_id="m0", hardware_id=hardware_id))
    tenant.license().update({"max_devices_per_user": 1})

    # The second and the third become a group while the first is under way.
    _, one, two = await asyncio.gather(acquire("m1", "d"), acquire("m0", "one"), acquire("m0", "two"))

    assert isinstance(one, Granted)
    assert isinstance(two, DeviceLimitReached)
    # A session that stays open could live on: an extension in time may still be on its way.
    assert [each["hardware_id"] for each in tenant.open_sessions() if each["user_id"] == "m0"] == ["one"]
