"""Answers browsers about web pages of other origins (CORS). No page may call unless a setting names its origin.

Source: the Fetch standard, "CORS protocol". Starlette's middleware is for whole applications; a function has none.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

_SENT = "Authorization, Content-Type, If-None-Match, X-Request-Id, traceparent"
_READ = "ETag, Retry-After, WWW-Authenticate, X-Request-Id"
_REMEMBERED_SECONDS = 7_200
"""How long a browser may remember the answer to a preflight. Chromium takes no more."""


def with_cors(
    serve: Callable[[Request], Awaitable[Response]], *, methods: Sequence[str], allowed_origins: tuple[str, ...]
) -> Callable[[Request], Awaitable[Response]]:
    """Let pages of these origins call, and read the answers. Pages send ID tokens, never cookies."""

    @wraps(serve)
    async def serve_pages(request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin not in allowed_origins:
            response = await serve(request)
        else:
            response = _preflight_answer(methods) if _is_preflight(request) else await serve(request)
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _READ
        # Whatever the origin: a cache must not give one origin's answer to another.
        response.headers["Vary"] = "Origin"
        return response

    return serve_pages


def _is_preflight(request: Request) -> bool:
    """Whether the browser asks first if the page may call. Such a request has no token and no body."""
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def _preflight_answer(methods: Sequence[str]) -> Response:
    told = {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": _SENT,
        "Access-Control-Max-Age": str(_REMEMBERED_SECONDS),
        "Cache-Control": "no-store",
    }
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=told)
