"""The error catalogue: every code that a client can get, its HTTP status, and the form of its details."""

from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Self

from pydantic import BaseModel, ConfigDict

from shared.documents.rfc3339 import Time
from shared.rules.session import EndReason


class Code(StrEnum):
    """The codes. Each has an HTTP status, and says whether the same request may succeed later without any change."""

    INVALID_REQUEST = ("INVALID_REQUEST", HTTPStatus.BAD_REQUEST, False)
    INVALID_JSON = ("INVALID_JSON", HTTPStatus.BAD_REQUEST, False)
    TOKEN_MISSING = ("TOKEN_MISSING", HTTPStatus.UNAUTHORIZED, False)
    TOKEN_INVALID = ("TOKEN_INVALID", HTTPStatus.UNAUTHORIZED, False)
    TOKEN_EXPIRED = ("TOKEN_EXPIRED", HTTPStatus.UNAUTHORIZED, False)
    NO_ORGANIZATION = ("NO_ORGANIZATION", HTTPStatus.FORBIDDEN, False)
    ORGANIZATION_INACTIVE = ("ORGANIZATION_INACTIVE", HTTPStatus.FORBIDDEN, False)
    USER_INACTIVE = ("USER_INACTIVE", HTTPStatus.FORBIDDEN, False)
    ROLE_NOT_ALLOWED = ("ROLE_NOT_ALLOWED", HTTPStatus.FORBIDDEN, False)
    LICENSE_INACTIVE = ("LICENSE_INACTIVE", HTTPStatus.FORBIDDEN, False)
    LICENSE_EXPIRED = ("LICENSE_EXPIRED", HTTPStatus.FORBIDDEN, False)
    LICENSE_MISCONFIGURED = ("LICENSE_MISCONFIGURED", HTTPStatus.FORBIDDEN, False)
    LICENSE_NOT_FOUND = ("LICENSE_NOT_FOUND", HTTPStatus.NOT_FOUND, False)
    SESSION_NOT_FOUND = ("SESSION_NOT_FOUND", HTTPStatus.NOT_FOUND, False)
    METHOD_NOT_ALLOWED = ("METHOD_NOT_ALLOWED", HTTPStatus.METHOD_NOT_ALLOWED, False)
    SEAT_LIMIT_REACHED = ("SEAT_LIMIT_REACHED", HTTPStatus.CONFLICT, True)
    ORGANIZATION_SEAT_LIMIT_REACHED = ("ORGANIZATION_SEAT_LIMIT_REACHED", HTTPStatus.CONFLICT, True)
    INSTANCE_LIMIT_REACHED = ("INSTANCE_LIMIT_REACHED", HTTPStatus.CONFLICT, True)
    SESSION_EXPIRED = ("SESSION_EXPIRED", HTTPStatus.GONE, False)
    SESSION_RELEASED = ("SESSION_RELEASED", HTTPStatus.GONE, False)
    SESSION_REVOKED = ("SESSION_REVOKED", HTTPStatus.GONE, False)
    BODY_TOO_SLOW = ("BODY_TOO_SLOW", HTTPStatus.REQUEST_TIMEOUT, True)
    BODY_TOO_LARGE = ("BODY_TOO_LARGE", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, False)
    UNSUPPORTED_MEDIA_TYPE = ("UNSUPPORTED_MEDIA_TYPE", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, False)
    RATE_LIMITED = ("RATE_LIMITED", HTTPStatus.TOO_MANY_REQUESTS, True)
    INTERNAL = ("INTERNAL", HTTPStatus.INTERNAL_SERVER_ERROR, True)
    CONTENTION = ("CONTENTION", HTTPStatus.SERVICE_UNAVAILABLE, True)
    STORE_UNAVAILABLE = ("STORE_UNAVAILABLE", HTTPStatus.SERVICE_UNAVAILABLE, True)
    TOPIC_UNAVAILABLE = ("TOPIC_UNAVAILABLE", HTTPStatus.SERVICE_UNAVAILABLE, True)

    status: HTTPStatus
    retryable: bool

    def __new__(cls, code: str, status: HTTPStatus, retryable: bool) -> Self:  # noqa: FBT001 an enum's values are positional
        member = str.__new__(cls, code)
        member._value_ = code
        member.status = status
        member.retryable = retryable
        return member


class ApiError(Exception):
    """An error that is answered to the client. All of it is public, also ``details`` and ``headers``."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        details: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or {}
        self.headers = headers or {}
        self.decided_at: datetime | None = None
        """When it was decided, by the database's clock; ``None`` if Firestore was not asked."""


class _Details(BaseModel):
    model_config = ConfigDict(frozen=True)

    def as_json(self) -> dict[str, object]:
        return self.model_dump(mode="json")


class FieldProblem(_Details):
    """One field of a request, and what is wrong with it."""

    field: str
    problem: str


class InvalidRequestDetails(_Details):
    """Of ``INVALID_REQUEST``: the fields that do not have the expected form."""

    fields: list[FieldProblem]


class BodyTooLargeDetails(_Details):
    """Of ``BODY_TOO_LARGE``."""

    max_bytes: int


class MisconfiguredDetails(_Details):
    """Of ``LICENSE_MISCONFIGURED``: the document that an admin must correct, and which of its fields."""

    document: str
    fields: list[str]


class SeatLimitDetails(_Details):
    """Of ``SEAT_LIMIT_REACHED`` and ``ORGANIZATION_SEAT_LIMIT_REACHED``: the cap that was reached, and its seats."""

    in_use: int
    max: int
    earliest_expiry_at: Time | None
    retry_after_seconds: int


class InstanceLimitDetails(_Details):
    """Of ``INSTANCE_LIMIT_REACHED``: the session whose seat it is, and the instances that work on it."""

    session_id: str
    instances: int
    max: int
    earliest_expiry_at: Time
    retry_after_seconds: int


class RevokedDetails(_Details):
    """Of ``SESSION_REVOKED``. A null ``reason`` means that an admin ended the session by hand."""

    reason: EndReason | None
