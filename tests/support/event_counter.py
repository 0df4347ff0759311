"""Counts document writes, as a relay between the Firestore emulator, which posts each as an event, and a gateway."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from infra.local.loopback import NO_TLS


@dataclass(frozen=True, kw_only=True)
class EventCounter:
    """How many events came of each document, by its path."""

    written: Counter[str] = field(default_factory=Counter)


@contextmanager
def counting(port: int, gateway_url: str) -> Iterator[EventCounter]:
    """Count what comes to the port, and pass it on."""
    counter = EventCounter()
    gate = threading.Lock()

    class Relay(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            name = json.loads(body)["context"]["resource"]["name"]
            with gate:
                counter.written[name.partition("/documents/")[2]] += 1
            answer = httpx.post(gateway_url + self.path, content=body, verify=NO_TLS, timeout=30)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Relay)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield counter
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
