"""One Firestore database: reads of one instant, and commits that are written as a whole or not at all.

It uses the API's own requests (``BatchGetDocuments``, ``RunQuery``, ``RunAggregationQuery``, ``Commit``). The
higher-level ``AsyncClient`` hides two things that seats need: the read time, and a precondition on every write.

Calls run in threads, on gRPC's single-threaded streams. A read of 64 documents then costs a quarter of the CPU that
``grpc.aio`` takes, which wakes the event loop once for every document (``infra/decisions/0003-grpc-in-threads.md``).
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.firestore.errors import StoreUnavailable, committing, reading
from shared.firestore.query import Query
from shared.firestore.rpc import (
    BatchGetDocumentsRequest,
    CommitRequest,
    FirestoreApi,
    RunAggregationQueryRequest,
    RunQueryRequest,
)
from shared.firestore.values import Fields, decode, decode_fields, decode_time
from shared.firestore.writes import Write

MAX_CALLS = 64
"""The most calls at a time in one instance. A group of an organization makes one, or two for each scope it examines.
A group of acquires makes up to 16 for license keys that are new to the instance."""

CLOCK_DOCUMENT = "clock/-"
"""A document that is read only to get the database's time. It need not exist."""

ALL_ORGANIZATIONS = ""
"""The parent of queries over all organizations. No client's request runs such a query."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document. ``update_time`` is the version that a precondition names.

    Both times are the database's protobuf timestamps. ``decode_time`` reads them.
    """

    path: str
    fields: Fields
    update_time: Any
    create_time: Any = None

    @property
    def document_id(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ReadTime:
    """An instant of the database's clock, at which further reads can be made."""

    now: datetime
    read_time: Any


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Documents as they were at one instant. A document that does not exist is ``None``."""

    at: ReadTime
    documents: Mapping[str, Document | None]


class Firestore:
    """A connection to one database. Create it after the server has forked."""

    def __init__(
        self,
        *,
        project: str,
        database: str = "(default)",
        host: str = "firestore.googleapis.com",
        emulator_host: str | None = None,
        answer_within: timedelta = timedelta(seconds=5),
    ) -> None:
        """Connect to the database at ``host`` with the platform's credentials, or to the emulator at ``emulator_host``.

        ``answer_within`` is the timeout of each call. A call that takes longer raises ``StoreUnavailable``.
        """
        self._database = f"projects/{project}/databases/{database}"
        self._root = f"{self._database}/documents/"
        self._api = FirestoreApi(database=self._database, host=host, emulator_host=emulator_host, timeout=answer_within)
        self._threads = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="firestore")

    def close(self) -> None:
        """Close the connection. Unfinished calls fail."""
        self._api.close()
        self._threads.shutdown(wait=False)

    async def read(
        self, paths: Collection[str], *, at: ReadTime | None = None, only_fields: Sequence[str] = ()
    ) -> Snapshot:
        """Read documents as they are at one instant: ``at``, or now. One round trip.

        With ``only_fields`` it reads only these fields of each.

        Raises:
            StoreUnavailable: Firestore did not answer.
        """
        request = BatchGetDocumentsRequest(database=self._database)
        request.documents.extend(self._root + path for path in dict.fromkeys(paths))
        if only_fields:  # an empty mask would ask for no field at all
            request.mask.field_paths.extend(only_fields)
        if at is not None:
            request.read_time.CopyFrom(at.read_time)
        return await self._call(lambda: self._read(request))

    async def now(self) -> ReadTime:
        """Get the database's time with the cheapest read. One round trip.

        Raises:
            StoreUnavailable: Firestore did not answer.
        """
        return (await self.read([CLOCK_DOCUMENT])).at

    async def select(self, parent: str, query: Query, *, at: ReadTime | None = None) -> list[Document]:
        """Run a query over one collection below ``parent``, at an instant or now. One round trip.

        A query over the collections of all organizations has the parent ``ALL_ORGANIZATIONS``.

        Raises:
            StoreUnavailable: Firestore did not answer.
        """
        request = RunQueryRequest(parent=self._parent(parent, query), structured_query=query.to_wire(self._root))
        if at is not None:
            request.read_time.CopyFrom(at.read_time)
        return await self._call(lambda: self._select(request))

    async def count(self, parent: str, query: Query, *, at: ReadTime) -> int:
        """Count the documents that a query finds, without reading them. One round trip.

        Raises:
            StoreUnavailable: Firestore did not answer.
        """
        request = RunAggregationQueryRequest(parent=self._parent(parent, query))
        counted = request.structured_aggregation_query
        counted.structured_query.CopyFrom(query.to_wire(self._root))
        counted.aggregations.add(alias="count").count.SetInParent()
        request.read_time.CopyFrom(at.read_time)
        return await self._call(lambda: self._count(request))

    async def commit(self, writes: Sequence[Write]) -> None:
        """Write everything or nothing. One round trip.

        Raises:
            Conflict: a precondition no longer holds. Nothing was written.
            StoreUnavailable: Firestore did not answer. Either everything was written or nothing.
        """
        request = CommitRequest(database=self._database)
        for write in writes:
            write.put_into(request.writes.add(), self._root)
        await self._call(lambda: self._commit(request))

    def _parent(self, parent: str, query: Query) -> str:
        if query.everywhere != (parent == ALL_ORGANIZATIONS):
            scope = "all organizations" if query.everywhere else "one organization"
            message = f"a query over {scope} cannot have the parent {parent!r}"
            raise ValueError(message)
        return self._root.removesuffix("/") if query.everywhere else self._root + parent

    async def _call(self, blocking: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, blocking)

    def _read(self, request: Any) -> Snapshot:  # noqa: ANN401 protobuf's generated messages have no static type
        documents: dict[str, Document | None] = {}
        newest = None
        with reading():
            for answer in self._api.batch_get_documents(request):
                # An answer is valid up to its own read time or a later one, so the newest is valid for all of them.
                if newest is None or _order(answer.read_time) > _order(newest):
                    newest = answer.read_time
                if answer.HasField("found"):
                    document = self._document(answer.found)
                    documents[document.path] = document
                elif answer.missing:
                    documents[answer.missing.removeprefix(self._root)] = None
        if newest is None:
            message = "Firestore gave an empty answer to a read"
            raise StoreUnavailable(message)
        return Snapshot(at=ReadTime(now=decode_time(newest), read_time=newest), documents=documents)

    def _select(self, request: Any) -> list[Document]:  # noqa: ANN401 as above
        with reading():
            answers = self._api.run_query(request)
            return [self._document(answer.document) for answer in answers if answer.HasField("document")]

    def _count(self, request: Any) -> int:  # noqa: ANN401 as above
        with reading():
            for answer in self._api.run_aggregation_query(request):
                if answer.HasField("result"):
                    return int(decode(answer.result.aggregate_fields["count"]))
        message = "Firestore gave an empty answer to a count"
        raise StoreUnavailable(message)

    def _commit(self, request: Any) -> None:  # noqa: ANN401 as above
        with committing():
            self._api.commit(request)

    def _document(self, wire: Any) -> Document:  # noqa: ANN401 as above
        return Document(
            path=wire.name.removeprefix(self._root),
            fields=decode_fields(wire.fields),
            update_time=wire.update_time,
            create_time=wire.create_time,
        )


def _order(timestamp: Any) -> tuple[int, int]:  # noqa: ANN401 protobuf's generated messages have no static type
    return timestamp.seconds, timestamp.nanos
