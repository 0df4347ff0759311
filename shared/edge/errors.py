"""The error catalogue: every code that a client can get, its HTTP status, and the form of its details."""

from collections.abc import Mapping
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
    LICENSE_NOT_STARTED = ("LICENSE_NOT_STARTED", HTTPStatus.FORBIDDEN, False)
    LICENSE_NOT_ALLOWED = ("LICENSE_NOT_ALLOWED", HTTPStatus.FORBIDDEN, False)
    BORROWING_OFF = ("BORROWING_OFF", HTTPStatus.FORBIDDEN, False)
    BORROW_TOO_LONG = ("BORROW_TOO_LONG", HTTPStatus.FORBIDDEN, False)
    KEPT_OUT = ("KEPT_OUT", HTTPStatus.FORBIDDEN, False)
    NO_INVITATION = ("NO_INVITATION", HTTPStatus.FORBIDDEN, False)
    IN_ANOTHER_ORGANIZATION = ("IN_ANOTHER_ORGANIZATION", HTTPStatus.FORBIDDEN, False)
    LICENSE_MISCONFIGURED = ("LICENSE_MISCONFIGURED", HTTPStatus.FORBIDDEN, False)
    LICENSE_NOT_FOUND = ("LICENSE_NOT_FOUND", HTTPStatus.NOT_FOUND, False)
    SESSION_NOT_FOUND = ("SESSION_NOT_FOUND", HTTPStatus.NOT_FOUND, False)
    USER_NOT_FOUND = ("USER_NOT_FOUND", HTTPStatus.NOT_FOUND, False)
    METHOD_NOT_ALLOWED = ("METHOD_NOT_ALLOWED", HTTPStatus.METHOD_NOT_ALLOWED, False)
    SEAT_LIMIT_REACHED = ("SEAT_LIMIT_REACHED", HTTPStatus.CONFLICT, True)
    ORGANIZATION_SEAT_LIMIT_REACHED = ("ORGANIZATION_SEAT_LIMIT_REACHED", HTTPStatus.CONFLICT, True)
    INSTANCE_LIMIT_REACHED = ("INSTANCE_LIMIT_REACHED", HTTPStatus.CONFLICT, True)
    USER_DEVICE_LIMIT_REACHED = ("USER_DEVICE_LIMIT_REACHED", HTTPStatus.CONFLICT, True)
    BORROWED_SEATS_LIMIT_REACHED = ("BORROWED_SEATS_LIMIT_REACHED", HTTPStatus.CONFLICT, True)
    ALREADY_A_MEMBER = ("ALREADY_A_MEMBER", HTTPStatus.CONFLICT, True)
    INVITATION_LIMIT_REACHED = ("INVITATION_LIMIT_REACHED", HTTPStatus.CONFLICT, True)
    LAST_OWNER = ("LAST_OWNER", HTTPStatus.CONFLICT, True)
    SESSION_EXPIRED = ("SESSION_EXPIRED", HTTPStatus.GONE, False)
    SESSION_RELEASED = ("SESSION_RELEASED", HTTPStatus.GONE, False)
    SESSION_REVOKED = ("SESSION_REVOKED", HTTPStatus.GONE, False)
    SESSION_IDLE = ("SESSION_IDLE", HTTPStatus.GONE, False)
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


MESSAGES: Mapping[Code, str] = {
    Code.INVALID_REQUEST: "The request does not have the expected form. The details list the problems.",
    Code.INVALID_JSON: "The body of the request is not valid JSON.",
    Code.TOKEN_MISSING: "You are not signed in. A request needs an ID token in the header Authorization: Bearer.",
    Code.TOKEN_INVALID: "Your sign-in is not valid for this service. Please sign in again.",
    Code.TOKEN_EXPIRED: "Your sign-in has expired. Please sign in again.",
    Code.NO_ORGANIZATION: "Your account belongs to no organization yet. Ask your administrator to add you.",
    Code.ORGANIZATION_INACTIVE: "Your organization is deactivated. Please talk to your administrator.",
    Code.USER_INACTIVE: "You are not an active member of the organization. Please talk to your administrator.",
    Code.ROLE_NOT_ALLOWED: "Your role in the organization does not allow this. Please talk to your administrator.",
    Code.LICENSE_INACTIVE: "The license is deactivated. Please talk to your administrator.",
    Code.LICENSE_EXPIRED: "The license has expired. Please talk to your administrator.",
    Code.LICENSE_NOT_STARTED: "The license begins at {starts_at}. Please come back then.",
    Code.LICENSE_NOT_ALLOWED: "The license is for other groups of users. Please talk to your administrator.",
    Code.BORROWING_OFF: "Seats of this license cannot be borrowed. Please talk to your administrator.",
    Code.BORROW_TOO_LONG: "A seat can be borrowed until {latest_until} at most.",
    Code.KEPT_OUT: "An administrator ended your session. You may take a seat again from {until} on.",
    Code.NO_INVITATION: (
        "There is no open invitation for your account. Ask an owner or admin of your organization to invite you, and "
        "sign in with the address that was invited."
    ),
    Code.IN_ANOTHER_ORGANIZATION: (
        "Your account belongs to another organization. Use another account, or have it removed there first."
    ),
    Code.LICENSE_MISCONFIGURED: "The {document} is not set up properly. Please tell your administrator.",
    Code.LICENSE_NOT_FOUND: "Your organization has no license with this key.",
    Code.SESSION_NOT_FOUND: "There is no such session.",
    Code.USER_NOT_FOUND: "Your organization has no such user.",
    Code.METHOD_NOT_ALLOWED: "The path does not take this method.",
    Code.SEAT_LIMIT_REACHED: "Every seat is in use ({in_use} of {max}). Please try again in a while.",
    Code.ORGANIZATION_SEAT_LIMIT_REACHED: (
        "Every seat of your organization is in use ({in_use} of {max}). Please try again in a while."
    ),
    Code.INSTANCE_LIMIT_REACHED: (
        "No more programs may work on your seat ({instances} of {max} do). Please try again in a while."
    ),
    Code.USER_DEVICE_LIMIT_REACHED: (
        "You hold seats on as many devices as the license allows ({max}). Give one of them back first."
    ),
    Code.BORROWED_SEATS_LIMIT_REACHED: (
        "As many seats are borrowed as the license allows ({borrowed} of {max}). Please try again in a while."
    ),
    Code.ALREADY_A_MEMBER: "Your organization has a user with this address already. The user may be deactivated.",
    Code.INVITATION_LIMIT_REACHED: "As many invitations are open as there may be ({max}). Take one back first.",
    Code.LAST_OWNER: "This is the last active owner of the organization. Make another user an owner first.",
    Code.SESSION_EXPIRED: "Your lease ran out, so your seat is free for other users.",
    Code.SESSION_RELEASED: "Your seat was given back.",
    Code.SESSION_REVOKED: "Your session was ended by an administrator.",
    Code.SESSION_IDLE: "Your seat was given back because you had done nothing for a while.",
    Code.BODY_TOO_SLOW: "The request took too long to arrive. Please try again.",
    Code.BODY_TOO_LARGE: "The body of the request is larger than {max_bytes} bytes.",
    Code.UNSUPPORTED_MEDIA_TYPE: "The request must be JSON, with the header Content-Type: application/json.",
    Code.RATE_LIMITED: "The license service has had too many requests from you in a short time. Please try again.",
    Code.INTERNAL: "Something went wrong in the license service. Please report the request id.",
    Code.CONTENTION: "The license service is very busy at the moment. Please try again.",
    Code.STORE_UNAVAILABLE: "The license service is not available at the moment. Please try again.",
    Code.TOPIC_UNAVAILABLE: "Audit events could not be published. The rest was done. The next run publishes them.",
}
"""What a program may show to its user. Names in braces are of the code's details."""


class ApiError(Exception):
    """An error that is answered to the client. All of it is public, also ``details`` and ``headers``.

    Its message is that of ``MESSAGES``, unless another one says more.
    """

    def __init__(
        self,
        code: Code,
        message: str | None = None,
        *,
        details: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.code = code
        self.details = details or {}
        self.message = message or MESSAGES[code].format_map(self.details)
        super().__init__(self.message)
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


class NotStartedDetails(_Details):
    """Of ``LICENSE_NOT_STARTED``: when the license begins to give seats."""

    starts_at: Time


class KeptOutDetails(_Details):
    """Of ``KEPT_OUT``: until when the user gets no seat of the license."""

    until: Time


class SeatLimitDetails(_Details):
    """Of ``SEAT_LIMIT_REACHED`` and ``ORGANIZATION_SEAT_LIMIT_REACHED``: the cap that was reached, and its seats.

    ``reserved_for_others`` of the license's seats are free, but reserved for groups that the user does not belong to.
    ``waiting`` users are in the license's line, and ``for_waiting`` of the free seats are for those before the caller.
    """

    in_use: int
    max: int
    reserved_for_others: int
    waiting: int
    for_waiting: int
    earliest_expiry_at: Time | None
    retry_after_seconds: int


class InstanceLimitDetails(_Details):
    """Of ``INSTANCE_LIMIT_REACHED``: the session whose seat it is, and the instances that work on it."""

    session_id: str
    instances: int
    max: int
    earliest_expiry_at: Time
    retry_after_seconds: int


class BorrowTooLongDetails(_Details):
    """Of ``BORROW_TOO_LONG``: until when a seat can be borrowed."""

    latest_until: Time


class BorrowedSeatsDetails(_Details):
    """Of ``BORROWED_SEATS_LIMIT_REACHED``: the seats that are borrowed, and how many may be."""

    borrowed: int
    max: int
    earliest_expiry_at: Time | None
    retry_after_seconds: int


class InvitationLimitDetails(_Details):
    """Of ``INVITATION_LIMIT_REACHED``: how many invitations may be open."""

    max: int


class OwnSession(_Details):
    """A session of the caller's own, which a release of its id ends."""

    session_id: str
    hardware_id: str
    started_at: Time


class DeviceLimitDetails(_Details):
    """Of ``USER_DEVICE_LIMIT_REACHED``: the user's sessions of the license, oldest first, and how many it allows."""

    sessions: list[OwnSession]
    max: int
    earliest_expiry_at: Time
    retry_after_seconds: int


class RevokedDetails(_Details):
    """Of ``SESSION_REVOKED``. A null ``reason`` means that an admin ended the session by hand."""

    reason: EndReason | None
