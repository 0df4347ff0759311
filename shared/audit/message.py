"""The published form of an audit event: what subscribers of the topic receive, as JSON.

The JSON schema ``infra/contracts/audit-event.schema.json`` and the topic's ``infra/contracts/audit-event.proto`` are
generated from these models. Fields are only ever added, at the end. Any other change is a new ``schema_version``.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.documents.paths import OrganizationPaths
from shared.documents.rfc3339 import Time
from shared.firestore.client import Document
from shared.rules.audit import EditKind
from shared.rules.denial import Limit, is_final
from shared.rules.refusal import Unusable
from shared.rules.session import EndReason

SCHEMA_VERSION: Literal[1] = 1

_Seats = Annotated[int, Field(ge=0)]


class _Message(BaseModel):
    # What is stored may have more than what is published, such as the time of its purge.
    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, json_schema_serialization_defaults_required=True
    )


class Seats(_Message):
    """Seats in use and the cap at the moment of the event; ``max`` of null: no cap."""

    in_use: _Seats
    max: _Seats | None


class LicenseSeats(_Message):
    """Seats in use of one license."""

    license_id: str
    in_use: int


class AcquiredDetails(_Message):
    """Who took the seat from where, and what was in use afterwards, this seat included."""

    ip_address: str | None
    user_agent: str | None
    user_email: str | None
    seats: Seats
    organization_seats: Seats


class EndedDetails(_Message):
    """Why the session ended, and its tenure. ``lease_expires_at`` is when it would have lapsed, or did."""

    reason: Annotated[EndReason, Field(strict=False)]
    started_at: Time
    last_heartbeat_at: Time
    lease_expires_at: Time


class RevokedDetails(_Message):
    """The same of a session that was revoked.

    Of one whose document somebody deleted, the last heartbeat and the lease are not known any more.
    """

    reason: Annotated[EndReason, Field(strict=False)]
    started_at: Time
    last_heartbeat_at: Time | None
    lease_expires_at: Time | None


class DeniedDetails(_Message):
    """Whose cap stood in the way, and how often within this minute.

    ``seats`` and ``organization_seats`` are those of the latest attempt. While ``is_final`` is false, ``attempts`` may
    still grow: the final number comes in a message of its own.
    """

    limit: Annotated[Limit, Field(strict=False)]
    attempts: Annotated[int, Field(ge=1)]
    last_attempt_at: Time
    is_final: bool
    ip_address: str | None
    user_agent: str | None
    user_email: str | None
    seats: Seats
    organization_seats: Seats


class RepairedDetails(_Message):
    """The counters before and after; ``before`` of null: missing, or not readable."""

    before: list[LicenseSeats] | None
    after: list[LicenseSeats]


class Change(_Message):
    """One field: its value in JSON before and after; null: it was not there. Of license keys the end is told."""

    field: str
    before: str | None
    after: str | None


class EditedDetails(_Message):
    """What was done to the document, and every field that changed."""

    edit: Annotated[EditKind, Field(strict=False)]
    changes: list[Change]


class _Event(_Message):
    schema_version: Literal[1] = SCHEMA_VERSION
    event_id: Annotated[str, Field(description="Names what happened: of two messages with one id, ignore the second.")]
    at: Annotated[Time, Field(description="When it happened, by the database's clock.")]
    actor: Annotated[str, Field(description="The user who did it, `system`, or `console` for an edit by hand.")]
    organization_id: str


class _SeatEvent(_Event):
    license_id: str
    session_id: Annotated[str, Field(description="The session of this user on this device under this license.")]
    user_id: str
    hardware_id: str


class AcquiredEvent(_SeatEvent):
    """A seat was granted."""

    type: Literal["session.acquired"]
    grant_number: Annotated[
        int, Field(ge=1, description="Counts the grants of the organization: 1, 2, 3 ... without a gap.")
    ]
    details: AcquiredDetails


class DeniedEvent(_SeatEvent):
    """A user on a device was refused a seat, once or several times within one minute."""

    type: Literal["session.denied"]
    details: DeniedDetails


class ReleasedEvent(_SeatEvent):
    """A seat was given back by who held it."""

    type: Literal["session.released"]
    details: EndedDetails


class ExpiredEvent(_SeatEvent):
    """A lease ran out; its seat is free."""

    type: Literal["session.expired"]
    details: EndedDetails


class RevokedEvent(_SeatEvent):
    """A seat was taken away: by an owner or admin, or because the right to it was gone."""

    type: Literal["session.revoked"]
    details: RevokedDetails


class UsageRepairedEvent(_Event):
    """The counters did not agree with the sessions and were taken from them again."""

    type: Literal["usage.repaired"]
    details: RepairedDetails


class OrganizationEditedEvent(_Event):
    """Somebody edited the organization's document by hand."""

    type: Literal["organization.edited"]
    details: EditedDetails


class UserEditedEvent(_Event):
    """Somebody edited a user's document by hand."""

    type: Literal["user.edited"]
    user_id: str
    details: EditedDetails


class LicenseEditedEvent(_Event):
    """Somebody edited a license by hand."""

    type: Literal["license.edited"]
    license_id: str
    details: EditedDetails


AuditMessage = (
    AcquiredEvent
    | DeniedEvent
    | ReleasedEvent
    | ExpiredEvent
    | RevokedEvent
    | UsageRepairedEvent
    | OrganizationEditedEvent
    | UserEditedEvent
    | LicenseEditedEvent
)
"""A published audit event of any type."""

AUDIT_MESSAGE: TypeAdapter[AuditMessage] = TypeAdapter(Annotated[AuditMessage, Field(discriminator="type")])
"""Reads and writes them, and knows their JSON schema."""

FINAL = "-final"
"""What the second message about a denial has behind the id of the first."""


def message_from(document: Document, *, now: datetime) -> AuditMessage | Unusable:
    """Put a stored audit event into its published form, as it is at ``now``."""
    # Whose event it is, its place says; the field beside it could have been edited.
    located = OrganizationPaths.of(document.path)
    fields: dict[str, Any] = {
        **document.fields,
        "schema_version": SCHEMA_VERSION,
        "event_id": document.document_id,
        "organization_id": None if located is None else located.paths.organization_id,
    }
    first_at, details = fields.get("at"), fields.get("details")
    if fields.get("type") == "session.denied" and isinstance(first_at, datetime) and isinstance(details, dict):
        final = is_final(first_at=first_at, now=now)
        fields["details"] = {**details, "is_final": final}
        fields["event_id"] += FINAL if final else ""
    try:
        return AUDIT_MESSAGE.validate_python(fields)
    except ValidationError as error:
        # A type that is not known is a problem of the whole, which has no place.
        problems = dict.fromkeys(".".join(map(str, problem["loc"])) or "type" for problem in error.errors())
        return Unusable(document="audit event", document_path=document.path, fields=tuple(problems))
