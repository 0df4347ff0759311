"""The forms of documents: which fields there are, and what may be in them.

One description for the functions, for what an admin is told of a document that does not have its form, and for the
field tables of the admin's guide.
"""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.documents.paths import can_be_document_id
from shared.rules.audit import AuditType
from shared.rules.session import EndReason
from shared.rules.user import Role

NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f]+$"
"""Texts that programs send, and that an admin compares with what programs send."""

MAX_KEY_LENGTH = 256
"""Characters of a license key: no request names a longer one."""

MAX_GRACE_SECONDS = 30 * 24 * 60 * 60
"""The longest that a program may go without the service: what nobody can take back for so long is not a lease."""


def _document_id(text: str) -> str:
    if not can_be_document_id(text):
        message = "not a document id"
        raise ValueError(message)
    return text


_DocumentId = Annotated[str, AfterValidator(_document_id)]
_Count = Annotated[int, Field(ge=0)]


class Form(BaseModel):
    """A document that somebody may have edited."""

    # Strict: "20" is not a number of seats and 1 is not a yes. Fields we do not know are the admin's own.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class OrganizationDocument(Form):
    """``organizations/{org_id}``: the tenant. Edited by admins."""

    name: Annotated[str, Field(description="What people call it.")] = ""
    slug: Annotated[str | None, Field(description="A short name of yours for it. Nothing depends on it.")] = None
    subscription_tier: Annotated[str, Field(description="A note of yours. Nothing depends on it.")] = "free"
    max_concurrent_seats: Annotated[
        _Count | None,
        Field(description="Seats in use at a time over all its licenses together; null: only the licenses' own caps."),
    ] = 5
    is_active: Annotated[bool, Field(description="false: nobody gets a seat, and sessions end.")] = True


class UserDocument(Form):
    """``organizations/{org_id}/users/{uid}``: a member. Edited by admins."""

    email: Annotated[
        Annotated[str, Field(max_length=320)] | None,
        Field(description="Shown beside the seats that this person holds; from Firebase Authentication when left out."),
    ] = None
    role: Annotated[
        Role,
        Field(
            strict=False,
            description="owner and admin: hold seats, see and end everybody's sessions; member: holds seats; "
            "guest: sees totals and holds none.",
        ),
    ] = Role.MEMBER
    is_active: Annotated[bool, Field(description="false: no seats, no tokens of the organization; sessions end.")] = (
        True
    )


class LicenseDocument(Form):
    """``organizations/{org_id}/licenses/{license_id}``: what was sold. Edited by admins."""

    license_key: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_KEY_LENGTH,
            pattern=NO_CONTROL_CHARACTERS,
            description="What a program names to get a seat; one is made when left out. No two licenses of an "
            "organization may have the same.",
        ),
    ]
    name: Annotated[str, Field(description="What people call it.")] = ""
    max_concurrent_seats: Annotated[_Count, Field(description="Seats in use at a time.")] = 5
    expires_at: Annotated[
        AwareDatetime | None, Field(description="The end of the contract: from then on no seat; null: no end.")
    ] = None
    is_active: Annotated[bool, Field(description="false: no seat of it, and sessions end.")] = True
    lease_seconds: Annotated[
        Annotated[int, Field(ge=3, le=86_400)] | None,
        Field(description="How long a seat is held without a sign of life; left out or null: the usual 360."),
    ] = None
    grace_seconds: Annotated[
        Annotated[int, Field(ge=0, le=MAX_GRACE_SECONDS)] | None,
        Field(
            description="How long after that a program that cannot reach us may work on; its seat is free meanwhile. "
            "Left out or null: the usual 0."
        ),
    ] = None


class SessionDocument(Form):
    """``organizations/{org_id}/sessions/{session_id}``: the tenure of a seat. Written by the functions."""

    license_id: Annotated[_DocumentId, Field(description="The document id of the license.")]
    user_id: Annotated[_DocumentId, Field(description="The User UID of who holds, or held, the seat.")]
    user_email: Annotated[str | None, Field(description="Their e-mail address when they took it.")] = None
    hardware_id: Annotated[str, Field(description="Their device, as their program names it.")]
    ip_address: Annotated[str | None, Field(description="Where they took it from.")] = None
    user_agent: Annotated[str | None, Field(description="What their program says of itself.")] = None
    started_at: Annotated[AwareDatetime, Field(description="Since when they hold it.")]
    last_heartbeat_at: Annotated[AwareDatetime, Field(description="Their program's last sign of life.")]
    lease_expires_at: Annotated[AwareDatetime, Field(description="Until when they hold it without another one.")]
    ended_at: Annotated[
        AwareDatetime | None,
        Field(description="null until it ended. Put a time here to throw them out; the seat is free at once."),
    ]
    end_reason: Annotated[
        EndReason | None, Field(strict=False, description="Why it ended. Leave it alone: it is filled in.")
    ] = None


_Attempts = Annotated[int, Field(ge=1, le=1_000_000)]
"""Of one device in one minute: nobody asks more often, and a higher number is somebody's slip."""


class _CountedAttempts(Form):
    attempts: _Attempts


class DenialDocument(Form):
    """``organizations/{org_id}/audit_events/{event_id}`` of the type ``session.denied``. Written by the functions."""

    at: AwareDatetime
    details: _CountedAttempts


class _MaybeAttempts(Form):
    attempts: _Attempts = 1


class HappenedDocument(Form):
    """What the activity of a license is made from, of ``organizations/{org_id}/audit_events/{event_id}``."""

    at: AwareDatetime
    type: Annotated[AuditType, Field(strict=False)]
    license_id: str
    user_id: str
    details: _MaybeAttempts = _MaybeAttempts()


class SeatUseDocument(Form):
    """``organizations/{org_id}/usage/seats``: the counters. Written by the functions."""

    total: int
    by_license: dict[str, _Count]
    grants: _Count
    seal: int
