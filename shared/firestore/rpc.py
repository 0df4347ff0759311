"""The four calls of the Firestore API that the seat protocol is made of, straight on gRPC.

The generated client builds a wrapper around every message and every call; for a heartbeat that was a tenth of its CPU
(``infra/decisions/0003-grpc-in-threads.md``). What it does besides is here: credentials, routing, timeouts, and nothing
is tried again, because only the protocol knows what has to be read again first.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import grpc
from google.api_core import grpc_helpers
from google.cloud.firestore_v1.types import firestore as api
from grpc.experimental import ChannelOptions

_HOST = "firestore.googleapis.com:443"
_SCOPES = ("https://www.googleapis.com/auth/datastore",)
_SERVICE = "/google.firestore.v1.Firestore/"

_CHANNEL_OPTIONS = [
    (ChannelOptions.SingleThreadedUnaryStream, 1),
    # A store that comes back is found again within a second; gRPC's own default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Not a pause: the time that one attempt to connect is given, TLS included.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]

BatchGetDocumentsRequest = api.BatchGetDocumentsRequest.pb()
RunQueryRequest = api.RunQueryRequest.pb()
RunAggregationQueryRequest = api.RunAggregationQueryRequest.pb()
CommitRequest = api.CommitRequest.pb()

Messages = Any
"""Protobuf's generated messages, which have no static type."""


class FirestoreApi:
    """A channel to one database. Calls block; every one of them raises ``grpc.RpcError``."""

    def __init__(self, *, database: str, emulator_host: str | None, timeout: timedelta) -> None:
        """Connect lazily: with the platform's credentials, or to the emulator at ``emulator_host``."""
        self._seconds = timeout.total_seconds()
        if emulator_host is None:
            self._channel = grpc_helpers.create_channel(_HOST, default_scopes=_SCOPES, options=_CHANNEL_OPTIONS)
            self._credentials: tuple[tuple[str, str], ...] = ()
        else:
            self._channel = grpc.insecure_channel(emulator_host, options=_CHANNEL_OPTIONS)
            # The emulator takes this bearer for a server's account, which security rules do not bind.
            self._credentials = (("authorization", "Bearer owner"),)
        self._by_database = self._options(f"database={database}")
        self._batch_get_documents = self._stream("BatchGetDocuments", api.BatchGetDocumentsResponse.pb())
        self._run_query = self._stream("RunQuery", api.RunQueryResponse.pb())
        self._run_aggregation_query = self._stream("RunAggregationQuery", api.RunAggregationQueryResponse.pb())
        self._commit: Callable[..., Any] = self._channel.unary_unary(
            _SERVICE + "Commit",
            request_serializer=self._serialize,
            response_deserializer=api.CommitResponse.pb().FromString,
        )

    def close(self) -> None:
        """Close the channel; calls under way fail."""
        self._channel.close()

    def batch_get_documents(self, request: Messages) -> Iterable[Messages]:
        """Read documents by name."""
        return self._batch_get_documents(request, **self._by_database)

    def run_query(self, request: Messages) -> Iterable[Messages]:
        """Find documents."""
        return self._run_query(request, **self._options(f"parent={request.parent}"))

    def run_aggregation_query(self, request: Messages) -> Iterable[Messages]:
        """Count documents."""
        return self._run_aggregation_query(request, **self._options(f"parent={request.parent}"))

    def commit(self, request: Messages) -> Messages:
        """Write, all or nothing."""
        return self._commit(request, **self._by_database)

    def _stream(self, method: str, response: Any) -> Callable[..., Iterable[Any]]:  # noqa: ANN401 a generated class
        call: Callable[..., Iterable[Any]] = self._channel.unary_stream(
            _SERVICE + method,
            request_serializer=self._serialize,
            response_deserializer=response.FromString,
        )
        return call

    @staticmethod
    def _serialize(message: Messages) -> bytes:
        serialized: bytes = message.SerializeToString()
        return serialized

    def _options(self, routing: str) -> dict[str, Any]:
        # The header by which Google's front end finds the database without reading the message.
        metadata = (*self._credentials, ("x-goog-request-params", quote(routing, safe="=")))
        return {"timeout": self._seconds, "metadata": metadata}
