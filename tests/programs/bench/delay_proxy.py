"""A proxy in front of the Firestore emulator: what passes is delayed, and counted.

``python -m tests.programs.bench.delay_proxy LISTEN TARGET CONTROL``, three ports. It is a program of its own, so that
the driver's event loop does no work of the proxy.

Each chunk is passed on so long after its own arrival, whatever is on its way before it: bytes stay in order, and the
throughput is not limited. ``tests/support/tcp_proxy.py`` delays chunks one after the other. ``GET /SECONDS`` of the
control port sets the delay of each direction; each answer says what was counted so far.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from hpack import Decoder

from tests.support.wire import billed_reads

# HTTP/2, RFC 9113. What gRPC does not send is refused, so that nothing is counted wrongly.
_PREFACE_BYTES, _FRAME_HEAD_BYTES = 24, 9
_DATA, _HEADERS, _CONTINUATION = 0x0, 0x1, 0x9
_END_STREAM, _PADDED, _PRIORITY = 0x1, 0x8, 0x20
_MESSAGE_HEAD_BYTES = 5  # gRPC: whether it is compressed, and its length

_CHUNK_BYTES = 1 << 18

Arrived = tuple[float, bytes]


@dataclass(eq=False, slots=True)
class _Frames:
    """Cuts what arrives into frames of HTTP/2."""

    to_skip: int = 0
    buffer: bytearray = field(default_factory=bytearray)

    def of(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        """Each frame that is complete by now: type, flags, stream, payload."""
        self.buffer += data
        at = self.to_skip
        while len(self.buffer) >= at + _FRAME_HEAD_BYTES:
            head = self.buffer[at : at + _FRAME_HEAD_BYTES]
            end = at + _FRAME_HEAD_BYTES + int.from_bytes(head[:3])
            if len(self.buffer) < end:
                break
            kind, flags = head[3], head[4]
            if kind == _CONTINUATION or (kind in {_DATA, _HEADERS} and flags & (_PADDED | _PRIORITY)):
                message = f"a frame that gRPC is not known to send: type {kind}, flags {flags:#x}"
                raise ValueError(message)
            yield kind, flags, int.from_bytes(head[5:]), bytes(self.buffer[at + _FRAME_HEAD_BYTES : end])
            at = end
        if at > self.to_skip:
            del self.buffer[:at]
            self.to_skip = 0


class _Calls:
    """Counts the calls of one connection by method, and the documents that they read."""

    def __init__(self, counted: Counter[str]) -> None:
        self._counted = counted
        self._headers = Decoder()
        self._asked, self._answered = _Frames(to_skip=_PREFACE_BYTES), _Frames()
        self._under_way: dict[int, tuple[str, bytearray]] = {}

    def ask(self, data: bytes) -> None:
        for kind, _, stream, payload in self._asked.of(data):
            if kind == _HEADERS:
                method = dict(self._headers.decode(payload, raw=True))[b":path"].decode().rpartition("/")[2]
                self._counted[method] += 1
                self._under_way[stream] = method, bytearray()

    def answer(self, data: bytes) -> None:
        for kind, flags, stream, payload in self._answered.of(data):
            if kind == _DATA and stream in self._under_way:
                self._under_way[stream][1].extend(payload)
            if kind in {_DATA, _HEADERS} and flags & _END_STREAM and stream in self._under_way:
                method, answer = self._under_way.pop(stream)
                # A call that fails sends no message, and is billed nothing.
                if answer and method != "Commit":
                    self._counted["documents_read"] += billed_reads(method, list(_messages(answer)))


def _messages(answer: bytearray) -> Iterator[bytes]:
    at = 0
    while at < len(answer):
        begin = at + _MESSAGE_HEAD_BYTES
        at = begin + int.from_bytes(answer[at + 1 : begin])
        yield bytes(answer[begin:at])


class DelayProxy:
    """Passes connections on to a port, with ``delay_seconds`` in each direction, and counts their calls."""

    def __init__(self, target_port: int) -> None:
        self.delay_seconds = 0.0
        self.counted: Counter[str] = Counter()
        self._target_port = target_port

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        calls = _Calls(self.counted)
        try:
            async with asyncio.TaskGroup() as passing:
                for source, sink, seen in ((reader, there_writer, calls.ask), (there_reader, writer, calls.answer)):
                    late: asyncio.Queue[Arrived] = asyncio.Queue()
                    passing.create_task(self._receive(source, late, seen))
                    passing.create_task(_send_in_time(late, sink))
        finally:
            writer.close()
            there_writer.close()

    async def _receive(
        self, source: asyncio.StreamReader, late: asyncio.Queue[Arrived], seen: Callable[[bytes], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data = b""
            with suppress(ConnectionError):  # a connection that breaks has ended
                data = await source.read(_CHUNK_BYTES)
            late.put_nowait((loop.time() + self.delay_seconds, data))
            if not data:
                break
            seen(data)

    async def controlled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode().removeprefix("/")
        if asked:
            self.delay_seconds = float(asked)
        body = json.dumps(self.counted).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()


async def _send_in_time(late: asyncio.Queue[Arrived], sink: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, data = await late.get()
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        if not data:
            break
        sink.write(data)
    with suppress(OSError):
        sink.write_eof()


async def _serve(listen: int, target: int, control: int) -> None:
    proxy = DelayProxy(target)
    async with (
        await asyncio.start_server(proxy.connected, "127.0.0.1", listen),
        await asyncio.start_server(proxy.controlled, "127.0.0.1", control) as controlled,
    ):
        await controlled.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:])))
