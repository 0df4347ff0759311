"""The published form of an audit event: what subscribers of the topic receive, as JSON.

The JSON schema ``infra/contracts/audit-event.schema.json`` and the topic's ``infra/contracts/audit-event.proto`` are
generated from these models. Fields are only ever added, at the end. Any other change is a new ``schema_version``.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.documents.paths import OrganizationPaths
from shared.documents.rfc3339 import Time
from shared.firestore.client import Document
from shared.rules.admission import JoinedBy
from shared.rules.audit import EditKind
from shared.rules.denial import Limit
from shared.rules.line import GaveUp
from shared.rules.refusal import Unusable
from shared.rules.session import EndReason

SCHEMA_VERSION: Literal[1] = 1

_Seats = Annotated[int, Field(ge=0)]


class _Message(BaseModel):
    # A stored event has fields that are not published, such as the time of its purge.
    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, json_schema_serialization_defaults_required=True
    )


class Seats(_Message):
    """Seats in use and the cap at the time of the event. A null ``max`` means no cap."""

    in_use: _Seats
    max: _Seats | None


class PoolSeats(_Message):
    """Seats in use that are reserved for one group."""

    group: str
    in_use: int


class LicenseSeats(_Message):
    """Seats in use of one license, and those of them that are reserved for a group."""

    license_id: str
    in_use: int
    pools: list[PoolSeats] = []


class AcquiredDetails(_Message):
    """Who took the seat, from where, and the seats in use afterwards, including this one.

    ``pool`` is the group whose reserved seat it is; null: a common one. An overdraft seat is above the license's own.
    ``waited_seconds`` is how long the user had a place in the line; null: they had none.
    """

    ip_address: str | None
    user_agent: str | None
    user_email: str | None
    seats: Seats
    organization_seats: Seats
    pool: str | None = None
    is_overdraft: bool = False
    waited_seconds: int | None = None


class QueuedDetails(_Message):
    """Since when the user waits, until when they would, and the how many-th of the license's line they are."""

    since: Time
    position: Annotated[int, Field(ge=1)]
    wait_until: Time


class GaveUpDetails(_Message):
    """Why the user waits no more, since when they did, and how long the place counted."""

    reason: Annotated[GaveUp, Field(strict=False)]
    since: Time
    waited_seconds: Annotated[int, Field(ge=0)]


class BorrowedDetails(_Message):
    """Until when the user borrows the seat. ``started_at`` is when the user took it."""

    started_at: Time
    borrowed_until: Time


class RenewedDetails(_Message):
    """Which instance works on the seat, from where, and how many do with it.

    ``started_at`` is when the user took the seat. A null ``instance_id`` means a program that names none.
    """

    started_at: Time
    instance_id: str | None
    ip_address: str | None
    user_agent: str | None
    instances: Annotated[int, Field(ge=0)]


class EndedDetails(_Message):
    """Why and when the session ended. ``lease_expires_at`` is when its lease would have run out, or did."""

    reason: Annotated[EndReason, Field(strict=False)]
    started_at: Time
    last_heartbeat_at: Time
    lease_expires_at: Time
    pool: str | None = None
    overhang_until: Time | None = None


class RevokedDetails(_Message):
    """Why the session was revoked, and its times.

    ``last_heartbeat_at`` and ``lease_expires_at`` are null if an admin deleted the session's document. Before
    ``kept_out_until`` the user gets no seat of the license. null: the user is not kept out.
    """

    reason: Annotated[EndReason, Field(strict=False)]
    started_at: Time
    last_heartbeat_at: Time | None
    lease_expires_at: Time | None
    pool: str | None = None
    kept_out_until: Time | None = None
    overhang_until: Time | None = None


class DeniedDetails(_Message):
    """How many attempts of the user were refused within the minute. All else is of the latest attempt."""

    limit: Annotated[Limit, Field(strict=False)]
    attempts: Annotated[
        int,
        Field(
            ge=1,
            description="How many attempts were refused. An attempt may count twice if the database's answer was lost.",
        ),
    ]
    last_attempt_at: Time
    ip_address: str | None
    user_agent: str | None
    user_email: str | None
    seats: Seats
    organization_seats: Seats
    for_waiting: Annotated[
        int, Field(ge=0, description="How many free seats were for users who had a place in the line.")
    ] = 0


class RepairedDetails(_Message):
    """The counters before and after. A null ``before`` means missing or unreadable."""

    before: list[LicenseSeats] | None
    after: list[LicenseSeats]


class ExpiringDetails(_Message):
    """When the contract ends, and how many days before the report is due: 30, 7 or 1."""

    expires_at: Time
    days_before: int


class Change(_Message):
    """One field, with its JSON value before and after. null: it was not there. A license key shows only its end.

    Of a user only the role, whether active, and the creation time are shown. Any other value is ``"…"``.
    """

    field: str
    before: str | None
    after: str | None


class InvitedDetails(_Message):
    """What happened to the invitation, and what it gives. ``changed`` means that it is open for longer again.

    ``invitation_id`` is the SHA-256 of the address in small letters, in hexadecimal. The address itself is not told.
    """

    edit: Annotated[EditKind, Field(strict=False)]
    invitation_id: str | None
    role: str
    groups: list[str]
    expires_at: Time


class JoinedDetails(_Message):
    """What let the person in, and what they got: ``invited_by`` of an invitation, or the provider, or the domain."""

    by: Annotated[JoinedBy, Field(strict=False)]
    role: str
    groups: list[str]
    invitation_id: str | None
    invited_by: str | None
    provider: str | None
    domain: str | None


class EditedDetails(_Message):
    """What was done to the document, and every field that changed."""

    edit: Annotated[EditKind, Field(strict=False)]
    changes: list[Change]


class SignedInDetails(_Message):
    """The device's own name for itself, the address that asked, and when and how the user's browser signed in.

    Texts are null if the user was erased.
    """

    device_name: str | None
    ip_address: str | None
    signed_in_at: Time
    signed_in_with: str | None


class ElsewhereDetails(_Message):
    """Since when this organization lists the user."""

    listed_since: Time


class _Event(_Message):
    schema_version: Literal[1] = SCHEMA_VERSION
    event_id: Annotated[str, Field(description="Identifies the event. Ignore a second message with the same id.")]
    at: Annotated[Time, Field(description="When it happened, by the database's clock.")]
    actor: Annotated[
        str,
        Field(description="The user's UID; `system`; `console` for an edit by hand; `erased` if the user was erased."),
    ]
    organization_id: str


class _SeatEvent(_Event):
    license_id: str
    session_id: Annotated[str, Field(description="The session of this user, on this device, for this license.")]
    user_id: str
    hardware_id: str


class AcquiredEvent(_SeatEvent):
    """A user took a seat."""

    type: Literal["session.acquired"]
    grant_number: Annotated[
        int,
        Field(ge=1, description="Numbers the grants of the organization 1, 2, 3 and so on, without a gap."),
    ]
    details: AcquiredDetails


class BorrowedEvent(_SeatEvent):
    """A user borrows a seat that they hold, to work without a connection, or borrows it for longer.

    A borrow has the number of a grant of its own.
    """

    type: Literal["session.borrowed"]
    grant_number: Annotated[int, Field(ge=1, description="A number of the same row as those of `session.acquired`.")]
    details: BorrowedDetails


class QueuedEvent(_SeatEvent):
    """A user waits in the line for a seat."""

    type: Literal["session.queued"]
    details: QueuedDetails


class GaveUpEvent(_SeatEvent):
    """A user waits no more, without a seat: they left, their time is over, or their program stopped asking."""

    type: Literal["session.gave_up"]
    details: GaveUpDetails


class RenewedEvent(_SeatEvent):
    """Another instance works on a seat that the user holds, or one at another address or in another version.

    Each instance and address is reported at most once while the user holds the seat.
    """

    type: Literal["session.renewed"]
    details: RenewedDetails


class DeniedEvent(_SeatEvent):
    """A user got no seat of the license because a cap was reached, once or several times within one minute.

    ``at`` is the beginning of the minute. ``session_id`` and ``hardware_id`` are of the latest attempt.
    """

    type: Literal["session.denied"]
    details: DeniedDetails


class ReleasedEvent(_SeatEvent):
    """The user gave back a seat."""

    type: Literal["session.released"]
    details: EndedDetails


class ExpiredEvent(_SeatEvent):
    """A lease ran out. The seat is free."""

    type: Literal["session.expired"]
    details: EndedDetails


class RevokedEvent(_SeatEvent):
    """An owner, an admin or a console edit took a seat away, or its user was idle or lost the right to it."""

    type: Literal["session.revoked"]
    details: RevokedDetails


class UsageRepairedEvent(_Event):
    """The counters did not match the sessions and were counted again from them."""

    type: Literal["usage.repaired"]
    details: RepairedDetails


class LicenseExpiringEvent(_Event):
    """A license's contract ends soon. It is reported once each 30, 7 and 1 days before."""

    type: Literal["license.expiring"]
    license_id: str
    details: ExpiringDetails


class OrganizationEditedEvent(_Event):
    """An admin edited the organization's document by hand."""

    type: Literal["organization.edited"]
    details: EditedDetails


class UserEditedEvent(_Event):
    """An owner or admin of the organization changed a user, or an admin edited the user's document by hand."""

    type: Literal["user.edited"]
    user_id: str
    details: EditedDetails


class UserInvitedEvent(_Event):
    """An owner or admin of the organization invited a person, renewed the invitation or took it back."""

    type: Literal["user.invited"]
    details: InvitedDetails


class UserJoinedEvent(_Event):
    """A person became a user of the organization by themselves."""

    type: Literal["user.joined"]
    user_id: str
    details: JoinedDetails


class LicenseEditedEvent(_Event):
    """An admin edited a license by hand."""

    type: Literal["license.edited"]
    license_id: str
    details: EditedDetails


class SignedInOnDeviceEvent(_Event):
    """A user signed a device in through a browser, such as the command line."""

    type: Literal["user.signed_in_on_device"]
    user_id: str
    details: SignedInDetails


class BelongsElsewhereEvent(_Event):
    """The organization lists a user who belongs to another one. The user gets no seat here."""

    type: Literal["user.belongs_elsewhere"]
    user_id: str
    details: ElsewhereDetails


AuditMessage = (
    AcquiredEvent
    | BorrowedEvent
    | QueuedEvent
    | GaveUpEvent
    | RenewedEvent
    | DeniedEvent
    | ReleasedEvent
    | ExpiredEvent
    | RevokedEvent
    | UsageRepairedEvent
    | LicenseExpiringEvent
    | OrganizationEditedEvent
    | UserEditedEvent
    | LicenseEditedEvent
    | UserInvitedEvent
    | UserJoinedEvent
    | SignedInOnDeviceEvent
    | BelongsElsewhereEvent
)
"""A published audit event of any type."""

AUDIT_MESSAGE: TypeAdapter[AuditMessage] = TypeAdapter(Annotated[AuditMessage, Field(discriminator="type")])
"""Validates audit messages and makes their JSON schema."""


def message_from(document: Document) -> AuditMessage | Unusable:
    """The published form of a stored audit event."""
    # The organization is taken from the path: the field of the same name may have been edited by hand.
    located = OrganizationPaths.of(document.path)
    fields: dict[str, Any] = {
        **document.fields,
        "schema_version": SCHEMA_VERSION,
        "event_id": document.document_id,
        "organization_id": None if located is None else located.paths.organization_id,
    }
    try:
        return AUDIT_MESSAGE.validate_python(fields)
    except ValidationError as error:
        # For an unknown type pydantic reports no field.
        problems = dict.fromkeys(".".join(map(str, problem["loc"])) or "type" for problem in error.errors())
        return Unusable(document="audit event", document_path=document.path, fields=tuple(problems))
