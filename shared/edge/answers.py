"""Answers: what a client gets back, in JSON. Times are RFC 3339 in UTC.

The answers of each operation stand in a module of its own: a function starts without those that it never gives.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.errors import ApiError


class Answer(BaseModel):
    """What goes out as JSON."""

    model_config = ConfigDict(frozen=True)


class ErrorView(Answer):
    """What went wrong. ``retryable`` says whether the same request may succeed later."""

    code: str
    message: str
    retryable: bool
    request_id: str
    details: dict[str, object]


class ErrorAnswer(Answer):
    """The one form of every error."""

    error: ErrorView
    server_time: Time


def answer(body: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Send a body as JSON. No cache may keep it."""
    return Response(
        to_json(body),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def nothing() -> Response:
    """Say that it is done, with nothing to add."""
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


def error_answer(error: ApiError, *, request_id: str, now: datetime) -> Response:
    """Send an error in the one form that all of them have."""
    view = ErrorView(
        code=error.code.value,
        message=error.message,
        retryable=error.code.retryable,
        request_id=request_id,
        details=error.details,
    )
    return answer(ErrorAnswer(error=view, server_time=now), status=error.code.status, headers=error.headers)
