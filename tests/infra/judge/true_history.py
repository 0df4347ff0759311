"""A true history that has one of everything the judge looks at: by the store's own code, on the Firestore emulator."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from google.cloud import firestore

from infra.judge.history import AdminEdit, History, Message
from infra.judge.reading import read_history
from shared.admin.deleted_sessions import Removals
from shared.audit.message import message_from
from shared.documents.organizations import Run
from shared.documents.paths import OrganizationPaths
from shared.firestore.client import Firestore
from shared.firestore.query import Query
from shared.rules.refusal import Unusable
from shared.seats.expiring import ExpiryReports
from tests.infra.judge.recorded_clients import SECOND, Telling, policy
from tests.programs.faults.instants import instant
from tests.support.tenant import Tenant

INSTANCES = ("instance-a-instance", "instance-b-instance")


async def true_history(console: firestore.Client, *, project: str, firestore_host: str) -> History:
    """Let it happen: three seats in all, two of each license.

    ::

        license-1   m0 ----|  m1 ----| m3 lapses, m4 takes over, is deleted |  m2 and m0 hold theirs to the end
                       m2 is refused, comes again; m0, and m2 after m3's lapse, look at the usage
        license-2     m1 takes and leaves a seat twice         two instances of m5 share one, m3, then m4, take one
    """
    tenant = Tenant.create(console, seats=2, organization_seats=3, members=6)
    tenant.add_license(SECOND, f"{tenant.license_key}-2", seats=2)
    with closing(Firestore(project=project, emulator_host=firestore_host)) as store:
        clients = Telling(tenant=tenant, store=store)
        await clients.acquire("m0")
        for _ in range(2):
            await clients.acquire("m1", SECOND)
            await clients.release("m1", SECOND)
        await clients.acquire("m1")
        await clients.acquire("m2")
        await clients.heartbeat("m0")
        await clients.usage("m0")
        await clients.release("m0")
        await clients.acquire("m2")
        await clients.release("m1")
        await clients.acquire("m3", lease=timedelta(milliseconds=1))
        await clients.usage("m2")
        await clients.acquire("m4")
        deleted_at = tenant.session(clients.session_id("m4")).delete()
        paths = OrganizationPaths(tenant.organization_id)
        await Removals(store, policy(timedelta(minutes=6))).tell(paths, clients.session_id("m4"))
        await clients.heartbeat("m2")
        await clients.acquire("m0")
        for instance_id in INSTANCES:
            await clients.acquire("m5", SECOND, instance_id=instance_id)
        for instance_id in INSTANCES:
            await clients.release("m5", SECOND, instance_id=instance_id)
        for user_id in ("m3", "m4"):
            await clients.acquire(user_id, SECOND)
            await clients.release(user_id, SECOND)
        await clients.heartbeat("m0")
        deletion = AdminEdit(
            collection="sessions", document_id=clients.session_id("m4"), at=instant(deleted_at), fields=None
        )
        return await _noted(clients, deletion)


async def history_of_terms(console: firestore.Client, *, project: str, firestore_host: str) -> History:
    """Let it happen, with a license that has all terms: three seats, one of them for ``design``, and one overdraft.

    ::

        design     m0 ----|   (free)                              m0 ---- overdraft: all three own seats are in use
        common     m1 --------------------------| is idle
        common     m2 ----------------------------------------------------
        overdraft  m3 ----------------------------------------------------
                     m4 is refused, and again     m4 -------- overdraft: both common seats are in use
                     m1 is refused a second device
    """
    now = datetime.now(UTC)
    tenant = Tenant.create(
        console,
        seats=3,
        starts_at=now - timedelta(days=1),
        expires_at=now + timedelta(hours=12),
        allowed_groups=["design", "staff"],
        reservations={"design": 1},
        max_devices_per_user=1,
        overdraft_seats=1,
        idle_seconds=60,
        is_active=True,
    )
    edits = []
    for number in range(5):
        fields = {"role": "member", "groups": ["design" if number == 0 else "staff"]}
        written = tenant.user(f"m{number}").set(fields)
        at = instant(written.update_time)
        edits.append(AdminEdit(collection="users", document_id=f"m{number}", at=at, fields=fields))
    with closing(Firestore(project=project, emulator_host=firestore_host)) as store:
        clients = Telling(tenant=tenant, store=store)
        for user_id in ("m0", "m1", "m2", "m3", "m4"):
            await clients.acquire(user_id)
        await clients.acquire("m1", hardware_id="another")
        await clients.release("m0")
        await clients.acquire("m4")
        await clients.usage("m2")
        await clients.idle("m1")
        for user_id in ("m4", "m0"):
            await clients.acquire(user_id)
        await clients.usage("m0")
        await ExpiryReports(store, policy(timedelta(minutes=6))).report(now=now, run=Run(timedelta(minutes=1)))
        return await _noted(clients, *edits)


async def history_of_borrowing(console: firestore.Client, *, project: str, firestore_host: str) -> History:
    """Let it happen, with a license of four seats that lends two of them for at most an hour.

    ::

        m0   takes, borrows, borrows for longer ----|  gives it back early
        m1   takes and borrows at once --------------------| the owner ends it, and keeps m1 out | is let in by hand ---
        m2                                            takes and borrows at once, keeps it, and looks at the usage ------
        m3                                            takes, is lent none              | is lent one -------------------
    """
    tenant = Tenant.create(console, seats=4, max_borrow_seconds=3_600, max_borrowed_seats=2)
    with closing(Firestore(project=project, emulator_host=firestore_host)) as store:
        clients = Telling(tenant=tenant, store=store)
        await clients.acquire("m0")
        for minutes in (10, 20):
            await clients.acquire("m0", borrow_for=timedelta(minutes=minutes))
        await clients.acquire("m1", borrow_for=timedelta(minutes=30))
        await clients.release("m0")
        await clients.acquire("m2", borrow_for=timedelta(minutes=30))
        await clients.acquire("m3")
        await clients.acquire("m3", borrow_for=timedelta(minutes=30))
        await clients.keep_out("m1", lasts=timedelta(hours=1))
        await clients.acquire("m1")
        await clients.acquire("m3", borrow_for=timedelta(minutes=30))
        await clients.heartbeat("m2")
        await clients.usage("m2")
        let_in = tenant.user("m1").update({"kept_out": {}})
        at = instant(let_in.update_time)
        await clients.acquire("m1")
        return await _noted(clients, AdminEdit(collection="users", document_id="m1", at=at, fields={"kept_out": {}}))


async def _noted(clients: Telling, *edits: AdminEdit) -> History:
    """Everything, and nothing is left to do. The organization and its licenses are as they were written."""
    store, organization_id = clients.store, clients.tenant.organization_id
    history = await read_history(store, organization_id)
    assert history.present is not None
    assert history.present.organization is not None
    made = [("licenses", each) for each in history.present.licenses]
    written = [
        AdminEdit(collection=collection, document_id=each.document_id, at=each.created_at, fields=each.fields)
        for collection, each in (*made, ("organizations", history.present.organization))
    ]
    return replace(
        history,
        requests=tuple(clients.requests),
        edits=tuple(sorted((*written, *edits), key=lambda edit: edit.at)),
        messages=await _published(store, OrganizationPaths(organization_id)),
        is_settled=True,
    )


async def _published(store: Firestore, paths: OrganizationPaths) -> tuple[Message, ...]:
    """What a subscriber receives of them, once each."""
    documents = await store.select(paths.organization, Query(collection="audit_events"))
    messages = []
    for document in documents:
        message = message_from(document)
        assert not isinstance(message, Unusable)
        messages.append(Message(data=message.model_dump(mode="json")))
    return tuple(messages)
