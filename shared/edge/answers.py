"""Answers to clients, in JSON. Times are RFC 3339 in UTC.

Each operation's answer has its own module, so that a function imports only its own.
"""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.errors import ApiError

PRIVATE = {"Cache-Control": "private, no-store"}
"""Of an answer about people: no cache may keep it. Hosting's cache has kept answers that only had to be asked
for again. Source: an issue of firebase-functions.
"""

WHEN_ANSWERED = "seatlease.when_answered"
"""The key in a request's scope of a function that is called when the request is answered, however that ends."""


class Answer(BaseModel):
    """A model that is sent as JSON.

    A field that is a model itself may be given a record: its fields of the same names are sent, and no others.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    @classmethod
    def from_record(cls, record: object, **others: object) -> Self:
        """Send ``others``, and the record's fields of the same names for all that they leave out."""
        own = {name: getattr(record, name) for name in cls.model_fields if name not in others}
        return cls.model_validate({**own, **others})


class ErrorView(Answer):
    """An error. ``retryable`` says whether the same request may succeed later."""

    code: str
    message: str
    retryable: bool
    request_id: str
    details: dict[str, object]


class ErrorAnswer(Answer):
    """The form of every error."""

    error: ErrorView
    server_time: Time


def answer(body: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON. Unless ``headers`` say otherwise, no cache may keep it."""
    return Response(
        to_json(body),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def nothing() -> Response:
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


def error_answer(error: ApiError, *, request_id: str, now: datetime) -> Response:
    view = ErrorView(
        code=error.code.value,
        message=error.message,
        retryable=error.code.retryable,
        request_id=request_id,
        details=error.details,
    )
    return answer(ErrorAnswer(error=view, server_time=now), status=error.code.status, headers=error.headers)
