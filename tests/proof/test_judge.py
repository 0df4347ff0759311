"""The judge, on a history that really happened: on the Firestore emulator, by the store's own code."""

from datetime import timedelta

from google.cloud import firestore

from infra.proof.judge import judge
from infra.proof.reading import read_history
from shared.rules.acquire import Device
from shared.store.acquire import AcquireRequest, Acquires
from shared.store.encoding import Retention
from shared.store.firestore import Firestore
from shared.store.policy import Policy
from tests.support.tenant import Tenant


async def test_what_really_happened_is_accepted(project: str, firestore_host: str, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=2)
    store = Firestore(project=project, emulator_host=firestore_host)
    policy = Policy(
        default_lease_for=timedelta(minutes=6),
        default_grace_for=timedelta(0),
        answer_within=timedelta(seconds=8),
        retention=Retention(sessions_for=timedelta(days=30), audit_events_for=timedelta(days=400)),
    )
    acquires = Acquires(store, policy)
    for user_id in ("m0", "m1", "m2"):
        device = Device(hardware_id="d", ip_address=None, user_agent=None)
        request = AcquireRequest(user_id=user_id, license_key=tenant.license_key, device=device)
        await acquires.acquire(tenant.organization_id, request)

    history = await read_history(store, tenant.organization_id)
    store.close()

    assert [event.type for event in history.events].count("session.acquired") == 2
    assert judge(history) == []
