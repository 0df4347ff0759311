"""Counts calls on the wire, as a gRPC server between a connection and the Firestore emulator.

Messages pass as the bytes that they are. What is counted is what Firestore would bill, by its pricing page: a document
for each name that is asked for, whether it is there or not; what a query finds, and one when it finds nothing; one for
each 1,000 index entries that are counted, or part of them; a write for each of a commit that succeeds.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.cloud.firestore_v1.types import firestore as api

_THREADS = 16
_ENTRIES_OF_A_READ = 1_000
_PASSED_ON = {"authorization", "x-goog-request-params"}
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@dataclass(kw_only=True)
class Rpc:
    """One call, and what it was about."""

    method: str
    shares_a_round_trip: bool
    reads: int = 0
    writes: int = 0


@dataclass(kw_only=True)
class Held:
    """A commit that has arrived and is not passed on yet."""

    reached: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)


class Wire(grpc.GenericRpcHandler):
    """The calls since the last ``forget``, in the order in which they arrived."""

    def __init__(self, emulator: str) -> None:
        self.rpcs: list[Rpc] = []
        self._channel = grpc.insecure_channel(emulator, options=_OPTIONS)
        self._gate = threading.Lock()
        self._under_way = 0
        self._held: Held | None = None

    @property
    def methods(self) -> list[str]:
        return [rpc.method for rpc in self.rpcs]

    @property
    def reads(self) -> int:
        return sum(rpc.reads for rpc in self.rpcs)

    @property
    def writes(self) -> int:
        return sum(rpc.writes for rpc in self.rpcs)

    @property
    def round_trips(self) -> int:
        """Calls that began when no other one was under way."""
        return sum(not rpc.shares_a_round_trip for rpc in self.rpcs)

    def forget(self) -> None:
        """Count from here; a call that has arrived is not counted any more."""
        self.rpcs = []

    @contextmanager
    def holding_the_next_commit(self) -> Iterator[Held]:
        """Keep the next commit on its way until it is let go, at the end at the latest."""
        self._held = held = Held()
        try:
            yield held
        finally:
            held.let_go.set()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method: str = details.method
        handler: grpc.RpcMethodHandler
        if method.endswith("/Commit"):
            handler = grpc.unary_unary_rpc_method_handler(lambda sent, context: self._commit(method, sent, context))
        else:
            handler = grpc.unary_stream_rpc_method_handler(lambda sent, context: self._read(method, sent, context))
        return handler

    def _commit(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        with self._counted(method) as rpc:
            held, self._held = self._held, None
            if held is not None:
                held.reached.set()
                held.let_go.wait()
            try:
                answer: bytes = self._channel.unary_unary(method)(request, **_options(context))
            except grpc.RpcError as error:
                _fail(context, error)
            rpc.writes = len(api.CommitRequest.pb().FromString(request).writes)
            return answer

    def _read(self, method: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        with self._counted(method) as rpc:
            try:
                # All of it before any of it is passed on: a call is over here before the caller can begin another one.
                answers = list(self._channel.unary_stream(method)(request, **_options(context)))
            except grpc.RpcError as error:
                _fail(context, error)
            rpc.reads = billed_reads(rpc.method, answers)
        yield from answers

    @contextmanager
    def _counted(self, method: str) -> Iterator[Rpc]:
        with self._gate:
            rpc = Rpc(method=method.rpartition("/")[2], shares_a_round_trip=self._under_way > 0)
            self.rpcs.append(rpc)
            self._under_way += 1
        try:
            yield rpc
        finally:
            with self._gate:
                self._under_way -= 1

    def close(self) -> None:
        self._channel.close()


@contextmanager
def counting(emulator: str) -> Iterator[tuple[Wire, str]]:
    """Count what is sent to HOST:PORT, which is lent, and pass it on to the emulator's."""
    wire = Wire(emulator)
    with ThreadPoolExecutor(_THREADS) as threads:
        server = grpc.server(threads, handlers=[wire], options=_OPTIONS)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield wire, f"127.0.0.1:{port}"
        finally:
            server.stop(grace=None).wait()
            wire.close()


def _options(context: grpc.ServicerContext) -> dict[str, Any]:
    metadata = [(key, value) for key, value in context.invocation_metadata() if key in _PASSED_ON]
    return {"metadata": metadata, "timeout": context.time_remaining()}


def _fail(context: grpc.ServicerContext, error: Any) -> NoReturn:  # noqa: ANN401 an error that is a call too
    context.set_trailing_metadata(error.trailing_metadata())
    context.abort(error.code(), error.details())
    raise AssertionError


def billed_reads(method: str, answers: Sequence[bytes]) -> int:
    """What the messages of one answer to a read cost; the method is named without its service."""
    match method:
        case "BatchGetDocuments":
            read = map(api.BatchGetDocumentsResponse.pb().FromString, answers)
            return sum(answer.HasField("found") or bool(answer.missing) for answer in read)
        case "RunQuery":
            found = map(api.RunQueryResponse.pb().FromString, answers)
            return max(1, sum(int(answer.HasField("document")) + int(answer.skipped_results) for answer in found))
        case "RunAggregationQuery":
            counts = map(api.RunAggregationQueryResponse.pb().FromString, answers)
            entries = sum(
                int(value.integer_value) for answer in counts for value in answer.result.aggregate_fields.values()
            )
            return max(1, -(-entries // _ENTRIES_OF_A_READ))
        case _:
            message = f"nobody knows what this call is billed as: {method}"
            raise AssertionError(message)
