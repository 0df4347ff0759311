"""What the protocol relies on, held against the emulator: reads of one instant, and preconditions that hold."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud import firestore

from shared.firestore.client import Firestore
from shared.firestore.errors import Conflict, StoreUnavailable
from shared.firestore.query import Query
from shared.firestore.values import Plain
from shared.firestore.writes import Add, Create, Update, Upsert, Write
from tests.support.connections import WatchedFirestore

AT = datetime(2026, 1, 1, 12, 30, 0, 123456, tzinfo=UTC)
PATH = "organizations/o/usage/seats"


async def test_what_was_written_is_read_again(store: WatchedFirestore) -> None:
    fields: dict[str, Plain] = {
        "t": AT,
        "s": "ü",
        "n": None,
        "b": True,
        "i": -7,
        "f": 1.5,
        "m": {"a-b.c": [1, {"x": None}]},
        "l": [],
    }

    await store.commit([Create(path=PATH, fields=fields)])

    document = (await store.read([PATH])).documents[PATH]
    assert document is not None
    assert (document.fields, document.document_id) == (fields, "seats")


async def test_a_document_that_does_not_exist_is_none(store: WatchedFirestore) -> None:
    snapshot = await store.read([PATH, PATH, "organizations/o"])

    assert snapshot.documents == {PATH: None, "organizations/o": None}


async def test_a_read_at_an_instant_does_not_see_what_came_later(store: WatchedFirestore) -> None:
    await store.commit([Create(path=PATH, fields={"x": 1})])
    then = (await store.read([PATH])).at
    await store.commit([Add(path=PATH, numbers={("x",): 1})])

    before, after = await store.read([PATH], at=then), await store.read([PATH])

    values = [snapshot.documents[PATH] for snapshot in (before, after)]
    assert [value.fields["x"] for value in values if value is not None] == [1, 2]
    query = Query(collection="usage", where=(("x", "==", 1),))
    assert await store.count("organizations/o", query, at=then) == 1
    assert len(await store.select("organizations/o", query, at=then)) == 1
    assert await store.select("organizations/o", query) == []


async def test_the_instant_is_the_databases_clock_and_moves_on(store: WatchedFirestore) -> None:
    first, second = (await store.read([PATH])).at.now, (await store.read([PATH])).at.now

    assert first.tzinfo == UTC
    assert first <= second
    assert abs((datetime.now(UTC) - second).total_seconds()) < 60


async def test_creating_what_exists_is_a_conflict_and_writes_nothing(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    await store.commit([Create(path=PATH, fields={"x": 1})])

    with pytest.raises(Conflict):
        await store.commit([Create(path="organizations/o/usage/b", fields={}), Create(path=PATH, fields={"x": 2})])

    assert not console.document("organizations/o/usage/b").get().exists


@pytest.mark.parametrize("meanwhile", ["changed", "deleted"])
async def test_updating_what_changed_since_it_was_read_is_a_conflict_and_writes_nothing(
    store: WatchedFirestore, console: firestore.Client, meanwhile: str
) -> None:
    await store.commit([Create(path=PATH, fields={"x": 1})])
    document = (await store.read([PATH])).documents[PATH]
    assert document is not None
    if meanwhile == "changed":
        console.document(PATH).update({"x": 5})
    else:
        console.document(PATH).delete()
    writes: list[Write] = [
        Create(path="organizations/o/usage/b", fields={}),
        Update(path=PATH, fields={"x": 2}, unchanged_since=document.update_time),
    ]

    with pytest.raises(Conflict):
        await store.commit(writes)

    assert not console.document("organizations/o/usage/b").get().exists


async def test_an_update_leaves_the_admins_own_fields_alone(store: WatchedFirestore, console: firestore.Client) -> None:
    console.document(PATH).set({"x": 1, "note": "mine", "m": {"old": 1}})
    document = (await store.read([PATH])).documents[PATH]
    assert document is not None

    await store.commit([Update(path=PATH, fields={"x": 2, "m": {"new": 2}}, unchanged_since=document.update_time)])

    assert console.document(PATH).get().to_dict() == {"x": 2, "note": "mine", "m": {"new": 2}}


async def test_an_update_sets_and_removes_fields_of_any_name(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    awkward = ("my note", "a.b", "ü", "1st", "`", "\\")
    fields: dict[str, Plain] = {**dict.fromkeys(awkward, "Ann"), **{f"{name}, gone": "Ann" for name in awkward}}
    await store.commit([Create(path=PATH, fields={**fields, "a": {"b": 1}})])
    document = (await store.read([PATH])).documents[PATH]
    assert document is not None

    gone = [name for name in fields if name.endswith("gone")]
    change = Update(path=PATH, fields=dict.fromkeys(awkward), unchanged_since=document.update_time, without=gone)
    await store.commit([change])

    assert console.document(PATH).get().to_dict() == {**dict.fromkeys(awkward), "a": {"b": 1}}


async def test_adding_needs_no_condition_and_knows_awkward_names(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    awkward = "li.cen`se \\ 1"

    await store.commit([Add(path=PATH, numbers={("by_license", awkward): 2, ("total",): 2})])
    await store.commit([Add(path=PATH, numbers={("by_license", awkward): -1, ("total",): -1})])

    written = console.document(PATH).get().to_dict()
    assert written is not None
    assert (written["total"], written["by_license"]) == (1, {awkward: 1})
    assert written["updated_at"] is not None


async def test_raising_never_lowers_and_replaces_what_is_no_number(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    seen = []
    for number in (5, 3, 7):
        await store.commit([Add(path=PATH, numbers={}, raised={("until", "license-1"): number})])
        seen.append((console.document(PATH).get().to_dict() or {})["until"]["license-1"])
    console.document(PATH).update({"until": {"license-1": "soon"}})
    await store.commit([Add(path=PATH, numbers={}, raised={("until", "license-1"): 1})])

    assert seen == [5, 5, 7]
    assert console.document(PATH).get().get("until") == {"license-1": 1}


async def test_an_upsert_makes_the_document_then_adds_and_sets_and_leaves_everything_else(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    awkward = "li.cen`se \\ 1"
    first = Upsert(
        path=PATH,
        fields={("kind",): "a", ("details", awkward): None, ("details", "seats"): {"in_use": 1, "max": 2}},
        numbers={("details", "attempts"): 2},
    )
    second = Upsert(path=PATH, fields={("details", "seats"): {"in_use": 3}}, numbers={("details", "attempts"): 5})

    await store.commit([first])
    await store.commit([second])

    written = console.document(PATH).get().to_dict()
    assert written == {"kind": "a", "details": {awkward: None, "seats": {"in_use": 3}, "attempts": 7}}


@pytest.mark.parametrize("stored", ["see the ticket", None, {"attempts": "many"}, {"attempts": None}], ids=str)
async def test_an_upsert_begins_anew_where_something_else_was_typed_in(
    store: WatchedFirestore, console: firestore.Client, stored: object
) -> None:
    console.document(PATH).set({"details": stored, "note": "added by hand"})

    await store.commit([Upsert(path=PATH, fields={("details", "x"): 1}, numbers={("details", "attempts"): 2})])

    written = console.document(PATH).get().to_dict()
    assert written == {"details": {"x": 1, "attempts": 2}, "note": "added by hand"}


async def test_nobody_at_the_address_is_store_unavailable(project: str) -> None:
    nobody = Firestore(project=project, emulator_host="127.0.0.1:9")

    for call in (nobody.read([PATH]), nobody.commit([Create(path=PATH, fields={})])):
        with pytest.raises(StoreUnavailable):
            await call
    nobody.close()


def test_without_an_emulator_it_connects_with_the_platforms_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "client_email": "acquire@p.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
        "project_id": "p",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))

    Firestore(project="p").close()
