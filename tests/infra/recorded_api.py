"""A small server in the place of one of Google's APIs: it answers with what ``recorded/`` holds, changed as told.

The recordings were written from the APIs' documentation and not taken from a live project (``recorded/README.md``).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.http_server import serving

RECORDED = Path(__file__).parent / "recorded"

Answer = tuple[int, Any]


def recorded(name: str) -> Any:  # noqa: ANN401 JSON of any form
    """One recording."""
    return deepcopy(json.loads((RECORDED / f"{name}.json").read_text()))


@dataclass(kw_only=True, eq=False)
class RecordedApi:
    """Answers by method and path; with 404, as Google does, what it has no answer for."""

    url: str = ""
    answers: dict[str, Callable[[dict[str, list[str]]], Answer]] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    @property
    def host(self) -> str:
        """HOST:PORT."""
        return self.url.removeprefix("http://")

    def say(self, request: str, body: Any, *, status: int = 200) -> None:  # noqa: ANN401 JSON of any form
        """Answer one request, ``"GET /v1/..."``, with this body from now on."""
        self.answers[request] = lambda _: (status, body)

    def refuse_all(self, body: Any, *, status: int = 403) -> None:  # noqa: ANN401 as above
        """Answer every request with this error."""
        self.answers = {}
        self._otherwise = (status, body)

    _otherwise: Answer = (404, None)

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Look an answer up."""
        parts = urlsplit(target)
        request = f"{method} {unquote(parts.path)}"
        self.heard.append(request)
        self.bodies.append(json.loads(body) if body else None)
        if request in self.answers:
            return self.answers[request](parse_qs(parts.query))
        status, otherwise = self._otherwise
        return status, otherwise or recorded("not_found")


@contextmanager
def recorded_api() -> Iterator[RecordedApi]:
    """Serve on a free port."""
    api = RecordedApi()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, told = api.answer(self.command, self.path, body)
            sent = b"" if status == HTTPStatus.NO_CONTENT else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _answer  # noqa: N815 http.server's names

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with serving(Handler) as api.url:
        yield api
