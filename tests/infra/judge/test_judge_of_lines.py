"""The judge knows the line: its events have their names, and a free seat may be for a user who waits."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.cloud import firestore

from infra.judge.history import AdminEdit, History
from infra.judge.judge import judge
from infra.judge.reading import read_history
from infra.judge.violation import Kind
from shared.documents.policy import Policy
from shared.rules.acquire import Granted
from shared.rules.audit import AuditType
from tests.infra.judge.mutations import changed, only, starts, trail, with_details
from tests.infra.judge.seeded_line import (
    SEEDED_LINE,
    granted_to_a_newcomer,
    told_to_wait_when_the_seat_was_free,
)
from tests.support.connections import WatchedFirestore
from tests.support.line import Instance, id_of
from tests.support.tenant import Snapshot, Tenant


@pytest.fixture
async def history(store: WatchedFirestore, console: firestore.Client, policy: Policy) -> History:
    """One user leaves the line, another one is served, and a third is denied because they wait."""
    instance = Instance(store, Tenant.create(console, seats=1), policy)
    await instance.acquire("m0")
    for user in ("m1", "m2"):
        await instance.acquire(user)
    await instance.release("m0")
    await instance.acquire("m3", waits=False)
    await instance.release("m1")
    await instance.acquire("m2")
    return await read_history(store, instance.tenant.organization_id)


async def test_the_trail_of_a_line_is_whole(history: History) -> None:
    types = {event.type for event in history.events}

    assert types >= {AuditType.QUEUED, AuditType.GAVE_UP, AuditType.DENIED}
    assert judge(history) == []


async def test_a_denial_while_a_seat_was_free_for_nobody_is_found(history: History) -> None:
    denial = only(history, AuditType.DENIED)

    found = judge(with_details(trail(history), denial, for_waiting=0))

    assert [violation.kind for violation in found] == [Kind.REFUSED_WHILE_FREE]


async def test_an_event_of_the_line_that_is_named_otherwise_is_found(history: History) -> None:
    gave_up = only(history, AuditType.GAVE_UP)
    events = tuple(replace(each, event_id="another") if each == gave_up else each for each in history.events)

    found = judge(replace(trail(history), events=events))

    assert [violation.kind for violation in found] == [Kind.EVENT_MISNAMED]
    assert gave_up.session_id == id_of("m1")


@pytest.mark.parametrize(("kind", "sow"), SEEDED_LINE, ids=lambda each: getattr(each, "__name__", ""))
async def test_a_fault_sown_into_a_line_is_rejected_as_what_it_is(
    kind: Kind, sow: Callable[[History], History], history: History
) -> None:
    assert {violation.kind for violation in judge(sow(history))} == {kind}


async def test_a_place_behind_the_one_that_the_free_seat_is_for_accuses_nobody(history: History) -> None:
    assert judge(told_to_wait_when_the_seat_was_free(history, position=2)) == []


async def test_a_place_accuses_nobody_where_the_organizations_cap_may_be_in_the_way(history: History) -> None:
    present = history.present
    assert present is not None
    assert present.organization is not None
    capped = replace(present.organization, fields={**present.organization.fields, "max_concurrent_seats": 5})
    sown = told_to_wait_when_the_seat_was_free(history)

    found = judge(replace(sown, present=replace(present, organization=capped)))

    assert Kind.REFUSED_WHILE_FREE not in {violation.kind for violation in found}


async def test_a_place_that_was_committed_after_the_read_of_a_grant_accuses_nobody(history: History) -> None:
    grant = starts(history, "m2")[0]
    sown = granted_to_a_newcomer(history)
    first = next(event for event in history.events if event.type == AuditType.QUEUED and event.user_id == "m1")

    assert judge(changed(sown, first, committed_at=grant.at)) == []


async def test_a_common_seat_accuses_nobody_while_the_reserved_one_is_for_a_user_who_waits(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, seats=2, reservations={"design": 1})
    for user in ("m0", "m1", "m2"):
        tenant.user(user).update({"groups": ["design"]})
    edits = [
        _creation(document) for document in (*tenant.organization.collection("users").stream(), tenant.license().get())
    ]
    instance = Instance(store, tenant, policy)
    for user in ("m0", "m3", "m1"):
        await instance.acquire(user)
    await instance.release("m0")
    await instance.release("m3")

    granted = await instance.acquire("m2", waits=False)

    history = replace(await read_history(store, tenant.organization_id), edits=tuple(edits))
    assert isinstance(granted, Granted)
    assert granted.session.pool is None
    assert judge(history) == []
    assert Kind.WRONG_POOL in {each.kind for each in judge(_without_the_line(history))}


def _creation(document: Snapshot) -> AdminEdit:
    collection, at = document.reference.parent.id, datetime.now(UTC)
    return AdminEdit(collection=collection, document_id=document.id, at=at, fields=document.to_dict())


def _without_the_line(history: History) -> History:
    events = tuple(each for each in history.events if each.type != AuditType.QUEUED)
    return replace(trail(history), events=events)
