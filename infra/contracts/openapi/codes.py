"""For each error code: when it is answered, what a client does, and an example of its ``details``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel

from infra.contracts.openapi.words import AT, SESSION_ID
from shared.edge.errors import (
    BodyTooLargeDetails,
    BorrowedSeatsDetails,
    BorrowTooLongDetails,
    Code,
    DeviceLimitDetails,
    FieldProblem,
    InstanceLimitDetails,
    InvalidRequestDetails,
    InvitationLimitDetails,
    KeptOutDetails,
    MisconfiguredDetails,
    NotStartedDetails,
    OwnSession,
    RevokedDetails,
    SeatLimitDetails,
)
from shared.edge.identity import AT_A_TIME, BURST, JOINS_A_MINUTE, REQUESTS_A_SECOND
from shared.edge.requests import BODY_WITHIN_SECONDS, MAX_BODY_BYTES
from shared.rules.admission import MAX_INVITATIONS
from shared.rules.session import EndReason


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """When the code is answered, and what a client then does. ``details`` is an example."""

    when: str
    then: str
    details: BaseModel | None = None
    has_retry_after: bool = False


class NoDetails(BaseModel):
    """This code has no details."""


_MEND = "Correct the request."
_STOP = "Stop, and show the message."
_SIGN_IN = "Refresh the token once and ask again."
_ACQUIRE = "Acquire a seat again."
_WAIT = "Wait for `retry_after_seconds` or the header `Retry-After`, then ask again. It is safe."
_AGAIN = "Wait for `Retry-After`, then ask again. It is safe."
_FULL = SeatLimitDetails(
    in_use=20, max=20, reserved_for_others=0, waiting=0, for_waiting=0, earliest_expiry_at=AT, retry_after_seconds=60
)

MEANINGS: Mapping[Code, Meaning] = {
    Code.INVALID_REQUEST: Meaning(
        when="the request does not have the expected form; details.fields lists the problems",
        then=_MEND,
        details=InvalidRequestDetails(fields=[FieldProblem(field="hardware_id", problem="Field required")]),
    ),
    Code.INVALID_JSON: Meaning(when="the body is not valid JSON", then=_MEND),
    Code.TOKEN_MISSING: Meaning(when="the request has no bearer token", then="Send a Firebase ID token."),
    Code.TOKEN_INVALID: Meaning(when="the ID token is not valid for this project", then=_SIGN_IN),
    Code.TOKEN_EXPIRED: Meaning(when="the ID token has expired", then=_SIGN_IN),
    Code.NO_ORGANIZATION: Meaning(
        when="the ID token names no organization, or one that does not exist",
        then="Ask an admin to add the user, then sign in again.",
    ),
    Code.ORGANIZATION_INACTIVE: Meaning(when="the organization is deactivated", then=_STOP),
    Code.USER_INACTIVE: Meaning(when="the user is deactivated, or does not belong to the organization", then=_STOP),
    Code.ROLE_NOT_ALLOWED: Meaning(when="the user's role does not allow this", then=_STOP),
    Code.LICENSE_INACTIVE: Meaning(when="the license is deactivated", then=_STOP),
    Code.LICENSE_EXPIRED: Meaning(when="the license has expired", then=_STOP),
    Code.LICENSE_NOT_STARTED: Meaning(
        when="the license gives seats from a later time on", then=_STOP, details=NotStartedDetails(starts_at=AT)
    ),
    Code.LICENSE_NOT_ALLOWED: Meaning(when="the license is for groups that the user does not belong to", then=_STOP),
    Code.BORROWING_OFF: Meaning(when="the license lends no seats", then=_STOP),
    Code.BORROW_TOO_LONG: Meaning(
        when="the time is later than the license lends a seat for, or than its own end",
        then="Borrow until `latest_until` at most.",
        details=BorrowTooLongDetails(latest_until=AT),
    ),
    Code.KEPT_OUT: Meaning(
        when="an owner or admin ended a session of the user, who gets no seat of the license before `until`",
        then=_STOP,
        details=KeptOutDetails(until=AT + timedelta(hours=2)),
    ),
    Code.NO_INVITATION: Meaning(
        when="nothing lets the person in: no open invitation for the verified address, no single sign-on, no domain",
        then="Ask an owner or admin of the organization for an invitation.",
    ),
    Code.IN_ANOTHER_ORGANIZATION: Meaning(
        when="the person may join, but is an active user of another organization",
        then="Use another account, or ask an admin to remove the user there.",
    ),
    Code.LICENSE_MISCONFIGURED: Meaning(
        when="an admin must correct a document: some of its fields cannot be used",
        then="Without a seat: stop, and show the message. With a seat: go on, and ask again until its grace ends.",
        details=MisconfiguredDetails(document="license", fields=["max_concurrent_seats"]),
    ),
    Code.SIGN_IN_REFUSED: Meaning(
        when="a person refused the sign-in in the browser, or a device tried to approve one", then=_STOP
    ),
    Code.SIGN_IN_EXPIRED: Meaning(
        when="there is no such sign-in, its ten minutes are over, it was exchanged, or the caller does not prove that "
        "it is theirs",
        then="Begin a new sign-in.",
    ),
    Code.LICENSE_NOT_FOUND: Meaning(when="the organization has no such license", then=_STOP),
    Code.SESSION_NOT_FOUND: Meaning(when="there is no such session, or it belongs to another user", then=_ACQUIRE),
    Code.USER_NOT_FOUND: Meaning(when="the organization has no such user", then=_MEND),
    Code.METHOD_NOT_ALLOWED: Meaning(when="the path does not take this method", then=_MEND),
    Code.SEAT_LIMIT_REACHED: Meaning(
        when="every seat of the license that the user may use is in use, or for users who wait",
        then=_WAIT,
        details=_FULL,
        has_retry_after=True,
    ),
    Code.ORGANIZATION_SEAT_LIMIT_REACHED: Meaning(
        when="every seat that the organization may use at a time is in use, or for users who wait",
        then=_WAIT,
        details=_FULL,
        has_retry_after=True,
    ),
    Code.INSTANCE_LIMIT_REACHED: Meaning(
        when="as many instances work on the user's seat as the license allows",
        then="Wait, and ask again; or release the session of `session_id`, which stops those that work on it.",
        details=InstanceLimitDetails(
            session_id=SESSION_ID, instances=1, max=1, earliest_expiry_at=AT, retry_after_seconds=60
        ),
        has_retry_after=True,
    ),
    Code.USER_DEVICE_LIMIT_REACHED: Meaning(
        when="the user holds seats of the license on as many devices as it allows",
        then="Offer the user to release one of `sessions`, then ask again; or wait, and ask again.",
        details=DeviceLimitDetails(
            sessions=[OwnSession(session_id=SESSION_ID, hardware_id="studio-pc", started_at=AT)],
            max=1,
            earliest_expiry_at=AT,
            retry_after_seconds=60,
        ),
        has_retry_after=True,
    ),
    Code.BORROWED_SEATS_LIMIT_REACHED: Meaning(
        when="as many seats of the license are borrowed as it allows",
        then=_WAIT,
        details=BorrowedSeatsDetails(borrowed=3, max=3, earliest_expiry_at=AT, retry_after_seconds=60),
        has_retry_after=True,
    ),
    Code.SIGN_IN_PENDING: Meaning(
        when="no person has decided about the sign-in yet", then=_AGAIN, has_retry_after=True
    ),
    Code.ALREADY_A_MEMBER: Meaning(
        when="the organization has a user with this address, active or not",
        then="Look at the users. Activate the user, if that is what you want.",
        has_retry_after=True,
    ),
    Code.INVITATION_LIMIT_REACHED: Meaning(
        when="as many invitations are open as an organization may have",
        then="Take one back, or wait until one ends.",
        details=InvitationLimitDetails(max=MAX_INVITATIONS),
        has_retry_after=True,
    ),
    Code.LAST_OWNER: Meaning(
        when="the change would leave the organization without an active owner",
        then="Make another user an owner first.",
        has_retry_after=True,
    ),
    Code.SESSION_EXPIRED: Meaning(when="the lease ran out and the seat is free", then=_ACQUIRE),
    Code.SESSION_RELEASED: Meaning(when="the session was released", then=_ACQUIRE),
    Code.SESSION_REVOKED: Meaning(
        when="the session was revoked", then=_STOP, details=RevokedDetails(reason=EndReason.REVOKED_BY_ADMIN)
    ),
    Code.SESSION_IDLE: Meaning(
        when="the program reported an idle user for as long as the license allows, and the seat is free",
        then="Acquire a seat again when the user comes back.",
    ),
    Code.BODY_TOO_SLOW: Meaning(
        when=f"the body was not complete within {BODY_WITHIN_SECONDS} s; the connection is closed",
        then="Ask again. It is safe.",
    ),
    Code.BODY_TOO_LARGE: Meaning(
        when=f"the body is larger than {MAX_BODY_BYTES} bytes",
        then=_MEND,
        details=BodyTooLargeDetails(max_bytes=MAX_BODY_BYTES),
    ),
    Code.UNSUPPORTED_MEDIA_TYPE: Meaning(when="the body is not sent as application/json", then=_MEND),
    Code.RATE_LIMITED: Meaning(
        when=f"this user asks too often: at most {REQUESTS_A_SECOND} times a second after the first {BURST}, and "
        f"{AT_A_TIME} requests at a time, counted in each instance of the function. `join`: {JOINS_A_MINUTE} a minute. "
        "`sign_ins` counts addresses too",
        then=_AGAIN,
        has_retry_after=True,
    ),
    Code.INTERNAL: Meaning(
        when="something went wrong on the server; with the request id it is found in the logs",
        then="Ask once more. It is safe.",
    ),
    Code.CONTENTION: Meaning(
        when="other requests changed the same seats until the deadline", then=_AGAIN, has_retry_after=True
    ),
    Code.STORE_UNAVAILABLE: Meaning(
        when="Firestore or Google's public keys could not be reached in time", then=_AGAIN, has_retry_after=True
    ),
}
"""Every code that a client can get. Codes that only scheduled functions answer are not among them."""


def details_model(code: Code) -> type[BaseModel]:
    details = MEANINGS[code].details
    return NoDetails if details is None else type(details)
