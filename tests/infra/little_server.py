"""A small HTTP server of a test's own, in a function's place: it remembers what it is asked and answers as told."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.http_server import serving

_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One request. Headers by their names in lower case, as the bytes that came, read as Latin-1."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True, eq=False)
class LittleServer:
    """Answers with each of ``statuses`` in turn, and with the last from then on; never while the gate is closed."""

    statuses: list[int]
    heard: list[Heard] = field(default_factory=list)
    answered: int = 0
    most_at_once: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def waiting(self) -> int:
        """Requests that came and have no answer yet."""
        return len(self.heard) - self.answered

    def answer(self, heard: Heard) -> int:
        """Remember a request, wait for the gate, and say with which status to answer."""
        with self._lock:
            status = self.statuses[min(len(self.heard), len(self.statuses) - 1)]
            self.heard.append(heard)
            self.most_at_once = max(self.most_at_once, self.waiting)
        self.gate.wait(_SECONDS)
        with self._lock:
            self.answered += 1
        return status


@contextmanager
def little_server(*statuses: int, port: int = 0) -> Iterator[LittleServer]:
    """Serve on this port, or a free one; the gate is open."""
    little = LittleServer(statuses=list(statuses or (200,)))
    little.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = little.answer(Heard(method=self.command, path=self.path, headers=headers, body=body))
            told = f"told to say {status}".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            if request_id := self.headers.get("X-Request-Id"):
                self.send_header("X-Request-Id", request_id)
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 http.server's names

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with serving(Handler, port=port) as little.url:
        try:
            yield little
        finally:
            little.gate.set()


async def soon(condition: Callable[[], bool], *, what: str) -> None:
    """Wait for something that happens by itself on this event loop."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            message = f"waited {_SECONDS} s in vain: {what}"
            raise TimeoutError(message)
        await asyncio.sleep(0.01)
