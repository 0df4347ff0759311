"""A small HTTP server of a test's own in Firebase's place, for what the emulator does not answer: outages, proxies."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.http_server import serving


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int = 200
    content: bytes
    content_type: str = "application/json"


def told(content: Any, *, status: int = 200) -> Answer:  # noqa: ANN401 whatever becomes JSON
    return Answer(status=status, content=json.dumps(content).encode())


def refused(message: str, *, status: int = 400, **error: Any) -> Answer:  # noqa: ANN401 as above
    """Answer in the form of Google's errors."""
    return told({"error": {"code": status, "message": message, **error}}, status=status)


def exchanged(number: int, *, expires_in: str = "3600") -> Answer:
    """Answer as the secure-token endpoint does."""
    tokens = {"id_token": f"id-secret-{number}", "refresh_token": f"refresh-secret-{number}", "user_id": "u1"}
    return told({**tokens, "expires_in": expires_in})


@dataclass(kw_only=True, eq=False)
class Answering:
    """Answers with each in turn, and with the last from then on, once the gate is open."""

    answers: list[Answer]
    heard: list[tuple[str, str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    came: threading.Event = field(default_factory=threading.Event)
    host: str = ""


@contextmanager
def answering(*answers: Answer) -> Iterator[Answering]:
    """Serve on a free port; the gate is open. ``heard`` has path and body of each request; ``came``: there is one."""
    server_side = Answering(answers=list(answers))
    server_side.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            answer = server_side.answers[min(len(server_side.heard), len(server_side.answers) - 1)]
            server_side.heard.append((self.path, body))
            server_side.came.set()
            server_side.gate.wait(20)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST  # noqa: N815 http.server's name

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with serving(Handler) as url:
        server_side.host = url.removeprefix("http://")
        try:
            yield server_side
        finally:
            server_side.gate.set()
