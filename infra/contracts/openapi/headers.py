"""The headers of requests and answers."""

from collections.abc import Sequence
from typing import Any

from infra.contracts.openapi.words import WORDS
from shared.edge.errors import Code
from shared.edge.http import REQUEST_ID

_REQUEST_ID = f"^{REQUEST_ID.pattern}$"

REQUEST_HEADERS: list[dict[str, Any]] = [
    {
        "name": "X-Request-Id",
        "in": "header",
        "description": f"The request's id, for the logs. An id that matches `{_REQUEST_ID}` is used. Otherwise the "
        "function makes one.",
        "schema": {"type": "string"},
        "example": "build-4711-attempt-2",
    },
    {
        "name": "traceparent",
        "in": "header",
        "description": "The trace of the request (W3C Trace Context), for the logs. A malformed one is ignored.",
        "schema": {"type": "string"},
        "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    },
]

_TAG = r'^W/"[a-z2-7]+\.[0-9]+"$'
_A_TAG = 'W/"k5f3c7xw2hnq4zrd6tbyj2mu5e.1772442847"'

IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an answer that the client has, to the same request of the same user.",
    "schema": {"type": "string"},
    "example": _A_TAG,
}

_CHALLENGE = 'Bearer error="invalid_token"'


def always(*, cache_control: str) -> dict[str, Any]:
    """The headers of every answer."""
    return {
        "X-Request-Id": {
            "description": "The request's id: the client's own, or one that the function made.",
            "required": True,
            "schema": {"type": "string", "pattern": _REQUEST_ID},
            "example": WORDS["request_id"].example,
        },
        "Cache-Control": {
            "description": "How long a cache may keep the answer.",
            "required": True,
            "schema": {"type": "string", "const": cache_control},
            "example": cache_control,
        },
    }


def tag() -> dict[str, Any]:
    """The header that names an answer."""
    told = "The answer's tag, for `If-None-Match` of the next request."
    return {
        "ETag": {
            "description": told,
            "required": True,
            "schema": {"type": "string", "pattern": _TAG},
            "example": _A_TAG,
        }
    }


def allow(methods: Sequence[str]) -> dict[str, Any]:
    """The header of an answer to a wrong method."""
    listed = ", ".join(methods)
    schema = {"type": "string", "const": listed}
    told = "The method that the path takes, or the methods."
    return {"Allow": {"description": told, "required": True, "schema": schema, "example": listed}}


def challenge(codes: list[Code]) -> dict[str, Any]:
    """The header of an answer that asks for another token."""
    values = ["Bearer" if code is Code.TOKEN_MISSING else _CHALLENGE for code in codes]
    schema = {"type": "string", "enum": sorted(set(values))}
    told = "The kind of token to send, and what was wrong with the one that was sent (RFC 6750)."
    return {"WWW-Authenticate": {"description": told, "required": True, "schema": schema, "example": values[0]}}


def retry_after() -> dict[str, Any]:
    """The header of an answer that says when to ask again."""
    schema = {"type": "integer", "minimum": 1, "maximum": 60}
    told = "In how many seconds to ask again."
    return {"Retry-After": {"description": told, "required": True, "schema": schema, "example": 1}}
