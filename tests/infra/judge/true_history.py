"""A true history that has one of everything the judge looks at: by the store's own code, on the Firestore emulator."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from google.cloud import firestore

from infra.judge.history import AdminEdit, History, Message
from infra.judge.reading import read_history
from shared.admin.deleted_sessions import Removals
from shared.audit.message import message_from
from shared.documents.paths import OrganizationPaths
from shared.firestore.client import Firestore
from shared.firestore.query import Query
from shared.rules.refusal import Unusable
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
        history = await read_history(store, tenant.organization_id)
        messages = await _published(store, paths)
    deletion = AdminEdit(
        collection="sessions", document_id=clients.session_id("m4"), at=instant(deleted_at), fields=None
    )
    assert history.present is not None
    assert history.present.organization is not None
    made = [("licenses", each) for each in history.present.licenses]
    edits = [
        AdminEdit(collection=collection, document_id=each.document_id, at=each.created_at, fields=each.fields)
        for collection, each in (*made, ("organizations", history.present.organization))
    ]
    return replace(
        history,
        requests=tuple(clients.requests),
        edits=tuple(sorted((*edits, deletion), key=lambda edit: edit.at)),
        messages=messages,
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
