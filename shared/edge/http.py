"""The decorator of every HTTP function: it checks the method, sets the request id, logs, and answers errors."""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus

import functions_framework.aio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from shared.edge.answers import WHEN_ANSWERED, error_answer
from shared.edge.cors import with_cors
from shared.edge.errors import ApiError, Code
from shared.edge.logs import RequestContext, current_request
from shared.edge.platform import prepare_instance
from shared.edge.settings import settings
from shared.firestore.errors import Contended, DatabaseUnusable, StoreUnavailable

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
"""The form of a request id. A client's own id is used if it has this form."""

_RETRY_SOON = {"Retry-After": "1"}
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_FIRST_SERVER_ERROR = 500


def http_function(*methods: str) -> Callable[[Handler], functions_framework.aio.HTTPFunction]:
    """Register an async function with the platform's framework, and answer its errors in the form of the catalogue.

    The settings are read here, at import. An instance with wrong settings does not start.
    """
    prepare_instance()

    def decorate(handler: Handler) -> functions_framework.aio.HTTPFunction:
        @wraps(handler)
        async def serve(request: Request) -> Response:
            context = _context(request, handler.__name__)
            remembered = current_request.set(context)
            started = time.perf_counter()
            code: str | None = None
            try:
                _check_method(request, methods)
                response = await handler(request)
            except Exception as error:  # noqa: BLE001 the framework would answer text without a code
                # Do not give the error another name here. An error refers to this call. If this call also referred to
                # the error, only the garbage collector could free the request (``infra/decisions/0017``).
                response, code = _answer_of(error, request_id=context.request_id)
            finally:
                if (when_answered := request.scope.get(WHEN_ANSWERED)) is not None:
                    when_answered()
            response.headers["X-Request-Id"] = context.request_id
            _log(response.status_code, code, seconds=time.perf_counter() - started)
            current_request.reset(remembered)
            return response

        if allowed := settings().allowed_origins:
            return functions_framework.aio.http(with_cors(serve, methods=methods, allowed_origins=allowed))
        return functions_framework.aio.http(serve)

    return decorate


def _check_method(request: Request, methods: Sequence[str]) -> None:
    if request.method not in methods:
        message = f"Use {' or '.join(methods)} for this path."
        raise ApiError(Code.METHOD_NOT_ALLOWED, message, headers={"Allow": ", ".join(methods)})


def _answer_of(error: Exception, *, request_id: str) -> tuple[Response, str]:
    api_error = _as_api_error(error)
    now = api_error.decided_at or datetime.now(UTC)
    return error_answer(api_error, request_id=request_id, now=now), api_error.code.name


def _as_api_error(error: Exception) -> ApiError:
    match error:
        case ApiError():
            return error
        case ClientDisconnect():
            return ApiError(Code.INVALID_REQUEST, "The connection closed before the body was complete.")
        case Contended():
            logger.info("other writes came first until the deadline", extra={"cause": str(error.__cause__)})
            return ApiError(Code.CONTENTION, headers=_RETRY_SOON)
        case StoreUnavailable():
            logger.error("Firestore does not answer", exc_info=error)
            return ApiError(Code.STORE_UNAVAILABLE, headers=_RETRY_SOON)
        case DatabaseUnusable():
            logger.error("the Firestore database cannot be used: %s", error, exc_info=error)
            return ApiError(Code.INTERNAL)
        case _:
            logger.error("an unexpected error", exc_info=error)
            return ApiError(Code.INTERNAL)


def _context(request: Request, function: str) -> RequestContext:
    asked = request.headers.get("x-request-id", "")
    request_id = asked if REQUEST_ID.fullmatch(asked) else secrets.token_hex(16)
    traced = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    if traced is None:
        return RequestContext(request_id=request_id, function=function)
    trace = f"projects/{settings().project}/traces/{traced[1]}"
    return RequestContext(request_id=request_id, function=function, trace=trace, span_id=traced[2])


def _log(status: int, code: str | None, *, seconds: float) -> None:
    # A log line for every successful heartbeat would cost more than the heartbeat. And a user who asks too often is
    # logged once a minute already (``Limit``).
    is_seldom_logged = code is None or status == HTTPStatus.TOO_MANY_REQUESTS
    level = logging.DEBUG if is_seldom_logged else logging.ERROR if status >= _FIRST_SERVER_ERROR else logging.INFO
    if not logger.isEnabledFor(level):
        return
    fields = {"status": status, "code": code, "milliseconds": round(seconds * 1000, 1)}
    logger.log(level, "answered", extra=fields)
