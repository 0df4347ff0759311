"""A TCP proxy whose connections a test can cut, restore, pause and slow down, and whose answers it can drop."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

_QUIET_TURNS = 5
"""So many turns of the loop without a task: nothing that was accepted is still on its way."""


class TcpProxy:
    """Passes connections on to another port, until it is cut: then it refuses new ones and resets those there are."""

    def __init__(self, *, target_port: int) -> None:
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._delay_seconds = 0.0
        self._loses_answers = False
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        self.mend()

    def stop(self) -> None:
        self.cut()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lead_to(self, target_port: int) -> None:
        """Lead new connections elsewhere."""
        self._target_port = target_port

    def slow_down(self, seconds: float) -> None:
        """Pass everything on so much later, in both directions; 0 ends it."""
        self._delay_seconds = seconds

    def lose_answers(self, *, lost: bool) -> None:
        """Pass on what is asked and drop what is answered, as a network does that breaks after a commit went through.

        The connections are of no use afterwards: cut them when it is over.
        """
        self._loses_answers = lost

    def hold(self) -> None:
        """Keep connections, and everything that comes from now on, until ``let_go``."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def let_go(self) -> None:
        """Pass on what was held."""
        self._loop.call_soon_threadsafe(self._open.set)

    def cut(self) -> None:
        self._do(self._cut())

    def mend(self) -> None:
        self._do(self._mend())

    @contextmanager
    def being_cut(self) -> Iterator[None]:
        self.cut()
        try:
            yield
        finally:
            self.mend()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _cut(self) -> None:
        if self._server is not None:
            # A server that closes while it accepts a connection leaves that connection's transport half made. So it
            # stops listening first, and what it had accepted by then becomes a connection that can be aborted.
            for listener in self._server.sockets:
                self._loop.remove_reader(listener.fileno())
            for _ in range(_QUIET_TURNS):
                await asyncio.sleep(0)
            self._server.close()
            self._server = None
        for writer in list(self._connections):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _end(self) -> None:
        """End every connection, also one accepted a moment ago: it becomes a task some turns of the loop later."""
        self._open.set()
        deadline, quiet_turns = self._loop.time() + 30, 0
        while quiet_turns < _QUIET_TURNS and self._loop.time() < deadline:
            passing_on = asyncio.all_tasks() - {asyncio.current_task()}
            quiet_turns = 0 if passing_on else quiet_turns + 1
            for writer in list(self._connections):
                writer.transport.abort()
            if passing_on:
                await asyncio.wait(passing_on, timeout=0.1)
            await asyncio.sleep(0)  # transports that were closed last are told so

    async def _mend(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._connections.add(there_writer)
            try:
                await asyncio.gather(
                    self._pass_on(reader, there_writer), self._pass_on(there_reader, writer, is_answer=True)
                )
            finally:
                self._connections.discard(there_writer)
                there_writer.close()
        except OSError:
            writer.transport.abort()
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._open.wait()
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                if is_answer and self._loses_answers:
                    continue
                writer.write(data)
                await writer.drain()
            writer.write_eof()
