"""What a test asked over HTTP and what came back, for the report of a failure.

It looks on at httpx's transports, which all clients of the tests use, and changes nothing.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import httpx

LATEST = 5
"""Exchanges that a failure shows."""

_LONGEST = 2_000
_exchanges: deque[tuple[httpx.Request, httpx.Response | Exception]] = deque(maxlen=LATEST)


def watch() -> None:
    """Note each request and its answer from now on."""
    send, send_async = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    @wraps(send)
    def noted(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        with _failure_noted(request):
            response = send(self, request)
        _exchanges.append((request, response))
        return response

    @wraps(send_async)
    async def noted_async(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        with _failure_noted(request):
            response = await send_async(self, request)
        _exchanges.append((request, response))
        return response

    httpx.HTTPTransport.handle_request = noted  # type: ignore[method-assign]  # the only way to look on
    httpx.AsyncHTTPTransport.handle_async_request = noted_async  # type: ignore[method-assign]  # as above


@contextmanager
def _failure_noted(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        _exchanges.append((request, error))
        raise


def forget() -> None:
    """Forget what an earlier test asked."""
    _exchanges.clear()


def report(logs: Path) -> str:
    """Show the latest exchanges, each with the lines that servers logged below ``logs`` under its request id."""
    return "\n\n".join("\n".join(_lines(*exchange, logs)) for exchange in _exchanges)


def _lines(request: httpx.Request, came: httpx.Response | Exception, logs: Path) -> Iterator[str]:
    yield f"{request.method} {request.url}"
    yield from _shown(request)
    if isinstance(came, Exception):
        yield f"  failed: {came!r}"
        return
    yield f"  answered {came.status_code}"
    yield from _shown(came)
    if request_id := came.headers.get("X-Request-Id"):
        yield from _logged(request_id, logs)


def _shown(message: httpx.Request | httpx.Response) -> Iterator[str]:
    try:
        content = message.content
    except (httpx.RequestNotRead, httpx.ResponseNotRead):
        return
    if content:
        yield f"  {content[:_LONGEST].decode(errors='replace')}"


def _logged(request_id: str, logs: Path) -> Iterator[str]:
    for log in sorted(logs.rglob("*.log")):
        for line in log.read_text(errors="replace").splitlines():
            if request_id in line:
                yield f"  {log.stem}: {line[:_LONGEST]}"
