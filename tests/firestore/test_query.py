"""What the wire of the tests counts, and that it changes nothing of what passes."""

import pytest

from shared.documents import queries
from shared.firestore.client import Firestore
from shared.firestore.errors import Conflict
from shared.firestore.writes import Create
from tests.support.wire import Wire

BOOK = Create(path="organizations/o/licenses/l", fields={"license_key": "KEY"})


async def test_a_commit_that_fails_is_a_call_and_no_write_and_says_what_firestore_said(
    counted_store: Firestore, wire: Wire
) -> None:
    await counted_store.commit([BOOK])

    with pytest.raises(Conflict):
        await counted_store.commit([BOOK])

    assert (wire.methods, wire.writes) == (["Commit", "Commit"], 1)


async def test_a_document_that_is_not_there_is_a_read_and_so_is_a_query_that_finds_nothing(
    counted_store: Firestore, wire: Wire
) -> None:
    await counted_store.commit([BOOK])
    snapshot = await counted_store.read([BOOK.path, "organizations/o"])
    found = await counted_store.select("organizations/o", queries.licenses_with_key("another"))
    number = await counted_store.count("organizations/o", queries.all_licenses(), at=snapshot.at)

    assert [snapshot.documents["organizations/o"], found, number] == [None, [], 1]
    assert [(rpc.method, rpc.reads) for rpc in wire.rpcs] == [
        ("Commit", 0),
        ("BatchGetDocuments", 2),
        ("RunQuery", 1),
        ("RunAggregationQuery", 1),
    ]
    assert wire.round_trips == 4
