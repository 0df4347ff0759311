"""A call carries the headers of Google's own client, byte for byte: they lead it to its database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import firestore
from google.protobuf.timestamp_pb2 import Timestamp

from shared.firestore.client import Firestore, ReadTime
from shared.firestore.errors import Conflict, DatabaseUnusable
from shared.firestore.query import Query
from shared.firestore.writes import Create

HEADERS = {"x-goog-request-params", "google-cloud-resource-prefix"}
ORGANIZATION = "organizations/Zoë & 東京 100%C3"
Headers = dict[str, list[tuple[str, str]]]


class Refusing(grpc.GenericRpcHandler):
    """Refuses every call with the same status, and notes its headers."""

    def __init__(self, code: grpc.StatusCode, words: str) -> None:
        self.heard: Headers = {}
        self._status = code, words

    def service(self, details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 grpc's types are not complete
        sent = [(name, str(value)) for name, value in details.invocation_metadata if name in HEADERS]
        self.heard[details.method.rpartition("/")[2]] = sorted(sent)
        return grpc.unary_stream_rpc_method_handler(lambda _, context: context.abort(*self._status))


@contextmanager
def serving(refusing: Refusing) -> Iterator[str]:
    """Serve at the HOST:PORT that it yields."""
    server = grpc.server(ThreadPoolExecutor(4), handlers=(refusing,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def server() -> Refusing:
    return Refusing(grpc.StatusCode.PERMISSION_DENIED, "no")


@pytest.fixture
def address(server: Refusing) -> Iterator[str]:
    with serving(server) as address:
        yield address


@pytest.mark.parametrize("database", ["(default)", "seats"])
async def test_a_call_carries_the_headers_of_googles_own_client(
    server: Refusing, address: str, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", address)
    theirs = firestore.Client(project="northwind", database=database)
    users = theirs.collection(f"{ORGANIZATION}/users")
    for call in (users.document("ann").get, users.get, users.count().get, lambda: users.document("ann").create({})):
        with suppress(GoogleAPICallError):
            call()
    expected, server.heard = server.heard, {}

    ours = Firestore(project="northwind", database=database, emulator_host=address)
    at = ReadTime(now=datetime.now(UTC), read_time=Timestamp(seconds=1))
    for asked in (
        ours.read([f"{ORGANIZATION}/users/ann"]),
        ours.select(ORGANIZATION, Query(collection="users")),
        ours.count(ORGANIZATION, Query(collection="users"), at=at),
        ours.commit([Create(path=f"{ORGANIZATION}/users/ann", fields={})]),
    ):
        with suppress(grpc.RpcError):
            await asked
    ours.close()

    assert len(expected) == 4
    assert server.heard == expected


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.NOT_FOUND, "The database seats does not exist for project northwind Please visit ..."),
        (grpc.StatusCode.FAILED_PRECONDITION, "The Cloud Firestore API is not available for Datastore Mode projects"),
    ],
)
async def test_a_database_that_cannot_be_used_is_named_and_is_no_conflict(code: grpc.StatusCode, words: str) -> None:
    with serving(Refusing(code, words)) as address:
        store = Firestore(project="northwind", emulator_host=address)
        for call in (store.read(["a/b"]), store.commit([Create(path="a/b", fields={})])):
            with pytest.raises(DatabaseUnusable, match=words):
                await call
        store.close()


async def test_a_query_without_its_index_is_named() -> None:
    with serving(Refusing(grpc.StatusCode.FAILED_PRECONDITION, "The query requires an index")) as address:
        store = Firestore(project="northwind", emulator_host=address)
        with pytest.raises(DatabaseUnusable, match="requires an index"):
            await store.select("a/b", Query(collection="c"))
        store.close()


async def test_a_precondition_that_fails_is_a_conflict() -> None:
    words = "No document to update: projects/northwind/databases/(default)/documents/a/b"
    with serving(Refusing(grpc.StatusCode.NOT_FOUND, words)) as address:
        store = Firestore(project="northwind", emulator_host=address)
        with pytest.raises(Conflict, match=words.partition(":")[0]):
            await store.commit([Create(path="a/b", fields={})])
        store.close()
