"""An HTTP server between a client and the service: it changes requests, records answers, and plays them back."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx

from tests.support.http_server import serving

Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    status: int
    content: bytes


@dataclass(kw_only=True, eq=False)
class Between:
    """What stands between. While ``plays_back``, it asks nobody: it answers in turn with what it recorded."""

    change: Callable[[Body], Body] = lambda body: body
    token: str | None = None
    """Sent in place of the client's, if there is one."""
    plays_back: bool = False
    recorded: dict[str, list[Recorded]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def next_recorded(self, function: str) -> Recorded:
        if function == "release":
            return Recorded(status=204, content=b"")
        return self.recorded[function][self.asked.count(function) % len(self.recorded[function])]


@contextmanager
def between(service_url: str) -> Iterator[Between]:
    """Pass on to the service, until a test says otherwise."""
    middle = Between()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            function = self.path.rpartition("/")[2]
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if middle.plays_back:
                answer = middle.next_recorded(function)
            else:
                answer = self._pass_on(middle.change(body))
                middle.recorded.setdefault(function, []).append(answer)
            middle.asked.append(function)
            self.send_response(answer.status)
            if answer.content:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def _pass_on(self, body: Body) -> Recorded:
            token = self.headers["Authorization"] if middle.token is None else f"Bearer {middle.token}"
            answer = httpx.post(service_url + self.path, json=body, headers={"Authorization": token}, timeout=20)
            return Recorded(status=answer.status_code, content=answer.content)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with serving(Handler) as middle.url:
        yield middle
