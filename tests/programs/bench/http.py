"""The driver's side of HTTP: kept connections, and an error for every answer that is not the expected one.

A general client uses 0.1 ms and more of CPU time for a request, which the measured servers on the same machine then
lack. This driver only writes a request and parses its answer (with httptools).
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

_PATIENCE_SECONDS = 120.0
_IDLE_SECONDS = 1.0
"""The functions' servers close a connection that is idle for two seconds; one that may be about to go is not used."""


class UnexpectedAnswer(Exception):  # noqa: N818 it is counted, by its text
    """A server answered, but not what the benchmark asks it for. The text is short: errors are counted by it."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content: bytes


class _Connection(asyncio.Protocol):
    """A connection, with one request on its way at most."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[_Answer] | None = None
        self._content = bytearray()
        self.idle_since = 0.0
        self.is_open = True

    async def ask(self, request: bytes, *, within: float) -> _Answer:
        """Send a request; a connection that gave no answer in time is closed."""
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        late = loop.call_later(within, self._fail, TimeoutError())
        try:
            self._transport.write(request)
            answer = await self._answer
        except BaseException:
            self.close()
            raise
        finally:
            late.cancel()
        self.idle_since = loop.time()
        return answer

    def close(self) -> None:
        """Close it, whatever is on its way."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are by what they do, not by class

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._fail(ConnectionError(f"the answer is no HTTP: {error}"))

    def connection_lost(self, _error: Exception | None) -> None:
        """It is gone."""
        self.is_open = False
        self._fail(ConnectionError("the connection was closed before the answer came"))

    def on_message_begin(self) -> None:
        """An answer begins."""
        self._content = bytearray()

    def on_body(self, body: bytes) -> None:
        """A part of its body came."""
        self._content += body

    def on_message_complete(self) -> None:
        """It has ended."""
        self.is_open = self.is_open and self._parser.should_keep_alive()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(_Answer(self._parser.get_status_code(), bytes(self._content)))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


@dataclass(eq=False, kw_only=True, slots=True)
class Connections:
    """Connections that are kept, as many to each server as there are requests at a time."""

    patience_seconds: float
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Answers by the name of the endpoint and the status."""
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """How long each answer took, by the name of the endpoint."""
    _idle: dict[tuple[str, int], list[_Connection]] = field(default_factory=dict)

    async def ask(self, host: str, port: int, request: bytes) -> _Answer:
        """Send a request.

        Raises:
            OSError: no connection, or no answer; ``TimeoutError``, which is one, when patience has run out.
        """
        idle = self._idle.setdefault((host, port), [])
        connection = await self._connection(host, port, idle)
        answer = await connection.ask(request, within=self.patience_seconds)
        if connection.is_open:
            idle.append(connection)
        else:
            connection.close()
        return answer

    async def _connection(self, host: str, port: int, idle: list[_Connection]) -> _Connection:
        loop = asyncio.get_running_loop()
        while idle:
            connection = idle.pop()
            if connection.is_open and loop.time() - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.close()
        _, connection = await loop.create_connection(_Connection, host, port)
        return connection

    def close(self) -> None:
        """Close all that are idle; the others close with their requests."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()


@asynccontextmanager
async def connections(*, patience_seconds: float = _PATIENCE_SECONDS) -> AsyncIterator[Connections]:
    """Open a pool of connections."""
    pool = Connections(patience_seconds=patience_seconds)
    try:
        yield pool
    finally:
        pool.close()


class Endpoint:
    """A function's address (``http://HOST:PORT/PATH``), and the statuses that are fine."""

    def __init__(self, name: str, url: str, expected: frozenset[int]) -> None:
        """Take it apart once."""
        parts = urlsplit(url)
        self.name = name
        self.expected = expected
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._target = f"{parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n"

    async def get(self, http: Connections) -> bytes:
        """Ask without a body.

        Raises:
            UnexpectedAnswer: another status.
            OSError: no answer.
        """
        return await self._ask(http, f"GET {self._target}\r\n".encode())

    async def post(self, http: Connections, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Ask with a body of JSON; raises as ``get`` does."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"POST {self._target}{lines}Content-Length: {len(body)}\r\n\r\n"
        return await self._ask(http, head.encode() + body)

    async def _ask(self, http: Connections, request: bytes) -> bytes:
        began = time.perf_counter()
        answer = await http.ask(self._host, self._port, request)
        http.seconds[self.name].append(time.perf_counter() - began)
        http.answered[self.name, answer.status] += 1
        if answer.status not in self.expected:
            message = f"{self.name}: {answer.status} {_code(answer.content)}".rstrip()
            raise UnexpectedAnswer(message)
        return answer.content


def _code(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
