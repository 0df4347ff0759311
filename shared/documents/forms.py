"""The forms of documents: which fields they have, and which values each field may hold.

The functions read documents by these forms. The problems that an admin sees in a document, and the field tables of the
admin's guide, are made from them too.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
)

from shared.documents.paths import can_be_document_id
from shared.rules.audit import AuditType, EditKind
from shared.rules.history import HALF_HOURS
from shared.rules.license import Feature
from shared.rules.session import MAX_INSTANCES, EndReason
from shared.rules.sign_in import SignInState
from shared.rules.user import Role, normal_group

_CONTROL_CHARACTERS = (
    r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    # Beyond U+FFFF regular expressions of Python, Rust and JavaScript agree on no escape, only on the characters.
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    "\U000e0020-\U000e007f"
)
"""Unicode's categories Cc, Cf, Zl and Zp (version 15): they change how the rest of a line is shown, or are not seen."""

NO_CONTROL_CHARACTERS = f"^[^{_CONTROL_CHARACTERS}]+$"
"""For texts that programs send, and that people see or compare: one line, no tabs, nothing that is not seen."""

MAX_ADDRESS_LENGTH = 320
"""The most characters of an e-mail address: 64 before the @, 255 behind it."""

MAX_KEY_LENGTH = 256
"""The most characters of a license key. A request with a longer one is refused."""

MAX_GRACE_SECONDS = 30 * 24 * 60 * 60
"""The longest grace: 30 days. A seat cannot be taken back from a program that works within its grace."""


MAX_BORROW_SECONDS = 366 * 24 * 60 * 60
"""The longest time that a seat is borrowed for: a year."""


def _document_id(text: str) -> str:
    if not can_be_document_id(text):
        message = "not a document id"
        raise ValueError(message)
    return text


_DocumentId = Annotated[str, AfterValidator(_document_id)]
_Count = Annotated[int, Field(ge=0)]

MAX_GROUPS = 20
"""The most groups of a user, and the most that a license names."""

MAX_FEATURES, MAX_FEATURES_BYTES = 50, 4 * 1024
"""The most features of a license, and the most bytes that they take as JSON. Each answer of acquire and heartbeat
carries them twice."""

GROUP = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")


def _named_once(reservations: Mapping[str, int]) -> Mapping[str, int]:
    """Refuse two entries of one group. Firestore lets their names differ in case, and one would be lost."""
    groups = reservations if isinstance(reservations, Mapping) else {}
    names = [normal_group(each) for each in groups if isinstance(each, str)]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        message = f"two entries for the group {twice[0]}"
        raise ValueError(message)
    return reservations


_Pool = Annotated[str, Field(pattern=GROUP.pattern)]  # as a text: a compiled one lets a line break at the end pass
_Group = Annotated[  # in the form of ``normal_group``
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
]
Groups = Annotated[list[_Group], Field(max_length=MAX_GROUPS)]
_Texts = Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=MAX_GROUPS)]
_Reservations = Annotated[
    dict[_Group, Annotated[int, Field(ge=1)]], Field(max_length=MAX_GROUPS), BeforeValidator(_named_once)
]


def _small_enough(features: Mapping[str, Feature]) -> Mapping[str, Feature]:
    size = len(json.dumps(features, separators=(",", ":"), ensure_ascii=False).encode())
    if size > MAX_FEATURES_BYTES:
        message = f"{size} bytes as JSON"
        raise ValueError(message)
    return features


_Features = Annotated[
    dict[str, str | bool | int | FiniteFloat], Field(max_length=MAX_FEATURES), AfterValidator(_small_enough)
]
StoredTime = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]
"""A time in a document. A lease, a grace or a retention can be added to it, and it stays a possible time."""


class Form(BaseModel):
    """A document that an admin may have edited by hand."""

    # Strict: "20" is not a number of seats, and 1 is not true. Unknown fields are the admin's own notes.
    # A default that is a list or a map has a factory: pydantic makes a deep copy of a value, which takes longer.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class OrganizationDocument(Form):
    """``organizations/{org_id}``: the tenant. Edited by admins."""

    name: Annotated[str, Field(description="The name that people see.")] = ""
    slug: Annotated[
        str | None,
        Field(
            description="Your own short name for it, unique over all organizations: small letters, digits and "
            "hyphens, at most 100. Left out, it is made from the name. Nothing depends on it."
        ),
    ] = None
    subscription_tier: Annotated[str, Field(description="Your own note. Nothing depends on it.")] = "free"
    max_concurrent_seats: Annotated[
        _Count | None,
        Field(
            description="The most seats in use at a time, over all its licenses together. "
            "null: only the licenses' own caps count."
        ),
    ] = 5
    is_active: Annotated[bool, Field(description="false: no user gets a seat, and sessions end.")] = True
    email_domains: Annotated[
        _Texts,
        Field(
            default_factory=list,
            description="Who signs in with a verified address of one of these domains may join, as a member. Add only "
            "a domain that you know to be this organization's own.",
        ),
    ]
    sso_providers: Annotated[
        _Texts,
        Field(
            default_factory=list,
            description="Who signs in with one of these single sign-ons may join, as a member. They are the ids of "
            "SAML or OIDC providers in Firebase Authentication, such as saml.acme.",
        ),
    ]


class UserDocument(Form):
    """``organizations/{org_id}/users/{uid}``: a member. Edited by admins."""

    email: Annotated[
        Annotated[str, Field(max_length=MAX_ADDRESS_LENGTH)] | None,
        Field(
            description="Shown beside the user's seats. Left out, it is taken from Firebase Authentication, if it is "
            "verified there."
        ),
    ] = None
    role: Annotated[
        Role,
        Field(
            strict=False,
            description="owner, admin: hold seats, see and end all sessions. member: holds seats, sees their own "
            "sessions. guest: sees totals, holds no seat.",
        ),
    ] = Role.MEMBER
    is_active: Annotated[
        bool,
        Field(description="false: the user gets no seat, new tokens name no organization, and sessions end."),
    ] = True
    groups: Annotated[
        Groups,
        Field(
            default_factory=list,
            description="The groups of the user, at most 20. A license may keep seats for a group, or be only for it.",
        ),
    ]
    kept_out: Annotated[
        dict[str, StoredTime] | None,
        Field(
            description="By the document id of a license: until when the user gets no seat of it. An owner or admin "
            "who ends a session of the user may write it. Remove an entry to let the user in again."
        ),
    ] = None


class LicenseDocument(Form):
    """``organizations/{org_id}/licenses/{license_id}``: what was sold. Edited by admins."""

    license_key: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_KEY_LENGTH,
            pattern=NO_CONTROL_CHARACTERS,
            description="The key that a program sends to get a seat. Left out, a new one is made. Two licenses of an "
            "organization must not share a key.",
        ),
    ]
    name: Annotated[str, Field(description="The name that people see.")] = ""
    max_concurrent_seats: Annotated[_Count, Field(description="The most seats in use at a time.")] = 5
    expires_at: Annotated[
        StoredTime | None,
        Field(description="The end of the contract. No seat is given from then on. null: no end."),
    ] = None
    is_active: Annotated[bool, Field(description="false: the license gives no seat, and its sessions end.")] = True
    lease_seconds: Annotated[
        Annotated[int, Field(ge=3, le=86_400)] | None,
        Field(description="How many seconds a seat is held without a heartbeat. Left out or null: 360."),
    ] = None
    grace_seconds: Annotated[
        Annotated[int, Field(ge=0, le=MAX_GRACE_SECONDS)] | None,
        Field(
            description="How many seconds after its lease a program may work on without a connection. "
            "Its seat is free meanwhile. Only a user who has held the seat for one lease gets it. Left out or null: 0."
        ),
    ] = None
    max_instances_per_seat: Annotated[
        Annotated[int, Field(ge=1, le=MAX_INSTANCES)] | None,
        Field(
            description="How many programs may work on one seat at a time, such as replicas with one device name. "
            "Processes of one device that share a seat count once. Left out or null: any number."
        ),
    ] = None
    starts_at: Annotated[
        StoredTime | None,
        Field(description="The start of the contract. No seat is given before. Left out or null: it has started."),
    ] = None
    features: Annotated[
        _Features,
        Field(
            default_factory=dict,
            description="What was sold, in names and values of your own. A program gets them with its seat and can "
            "verify them offline. Nothing else depends on them.",
        ),
    ]
    allowed_groups: Annotated[
        Groups | None,
        Field(description="Only users of one of these groups get a seat. Left out or null: all users."),
    ] = None
    reservations: Annotated[
        _Reservations,
        Field(
            default_factory=dict,
            description="How many of the seats only users of a group may use: the group, and a number of seats.",
        ),
    ]
    max_devices_per_user: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="On how many devices one user may hold a seat at a time. Left out or null: any number."),
    ] = None
    overdraft_seats: Annotated[
        _Count,
        Field(
            description="How many seats are given above max_concurrent_seats. Each is reported as overdraft. "
            "The organization's cap holds all the same."
        ),
    ] = 0
    idle_seconds: Annotated[
        Annotated[int, Field(ge=60, le=86_400)] | None,
        Field(
            description="A user who does nothing in the program for so many seconds loses the seat, if the program "
            "tells. Left out or null: never."
        ),
    ] = None

    max_borrow_seconds: Annotated[
        Annotated[int, Field(ge=0, le=MAX_BORROW_SECONDS)],
        Field(
            description="For how many seconds a user may borrow a seat, to work without a connection. Until then it "
            "cannot be taken back. Left out or 0: not at all."
        ),
    ] = 0
    max_borrowed_seats: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="How many seats may be borrowed at a time. Left out or null: all."),
    ] = None


class InstanceEntry(Form):
    """One of the ``instances`` of a session."""

    instance_id: str | None
    ip_address: str | None = None
    last_heard_at: StoredTime


class SessionDocument(Form):
    """``organizations/{org_id}/sessions/{session_id}``: the tenure of a seat. Written by the functions."""

    license_id: Annotated[_DocumentId, Field(description="The document id of the license.")]
    user_id: Annotated[_DocumentId, Field(description="The User UID of the user who holds, or held, the seat.")]
    user_email: Annotated[str | None, Field(description="The user's e-mail address when they took the seat.")] = None
    hardware_id: Annotated[str, Field(description="The user's device, as the program names it.")]
    ip_address: Annotated[str | None, Field(description="The IP address from which they took the seat.")] = None
    user_agent: Annotated[str | None, Field(description="The name and version that the program gives itself.")] = None
    started_at: Annotated[StoredTime, Field(description="When they took the seat.")]
    last_heartbeat_at: Annotated[StoredTime, Field(description="The program's last heartbeat.")]
    lease_expires_at: Annotated[StoredTime, Field(description="When the lease ends without another heartbeat.")]
    ended_at: Annotated[
        StoredTime | None,
        Field(
            description="null while the session is open. Put a time here to end it: the seat is free within a second."
        ),
    ]
    end_reason: Annotated[
        EndReason | None,
        Field(strict=False, description="Why the session ended. The functions fill it in. Do not edit it."),
    ] = None
    instances: Annotated[
        list[InstanceEntry] | None,
        Field(
            description="The programs that work on the seat, each with its address and when it was last heard of. "
            "Programs that name no instance are one entry, and null if no others are there. Do not edit it."
        ),
    ] = None
    pool: Annotated[
        _Pool | None,  # letter by letter, as queries count it
        Field(description="The group whose reserved seat it is. null: a common seat. Do not edit it."),
    ] = None
    is_overdraft: Annotated[
        bool, Field(description="true: the seat was given above the license's own number. Do not edit it.")
    ] = False
    borrowed_until: Annotated[
        StoredTime | None,
        Field(
            description="Until when the seat is borrowed: its device works without a connection until then, also if "
            "you end the session. Do not edit it."
        ),
    ] = None


class WaitingDocument(Form):
    """``organizations/{org_id}/waiting/{session_id}``: a place in the line. Written by the functions."""

    license_id: _DocumentId
    user_id: _DocumentId
    hardware_id: str
    groups: list[str] = []
    since: StoredTime
    asked_at: StoredTime
    wait_until: StoredTime
    counts_until: StoredTime


class InvitationDocument(Form):
    """``organizations/{org_id}/invitations/{sha256 of the address}``: who may join. Written by the functions."""

    email: Annotated[str, Field(max_length=MAX_ADDRESS_LENGTH)]
    role: Annotated[Role, Field(strict=False)]
    groups: Groups = []
    invited_by: str
    created_at: StoredTime
    expires_at: StoredTime


class ApprovalFields(Form):
    """The person who approved a sign-in, and how their browser signed in."""

    user_id: _DocumentId
    organization_id: _DocumentId
    signed_in_at: StoredTime
    signed_in_with: str
    code_hash: str | None = None


class SignInDocument(Form):
    """``sign_ins/{sign_in_id}``: a sign-in of a device. Written and read by the function ``sign_ins`` only."""

    code_challenge: str
    device_name: str
    ip_address: str | None
    loopback_port: int | None
    asked_at: StoredTime
    expires_at: StoredTime
    state: Annotated[SignInState, Field(strict=False)]
    approval: ApprovalFields | None = None


class FieldChange(Form):
    """One field that an admin edited, with its values as JSON; ``None`` where it was missing."""

    field: str
    before: str | None = None


class _RecordedDetails(Form):
    """What the events of a history tell. Each kind has some of it; a deleted session's end has no lease."""

    started_at: StoredTime | None = None
    last_heartbeat_at: StoredTime | None = None
    lease_expires_at: StoredTime | None = None
    borrowed_until: StoredTime | None = None
    last_attempt_at: StoredTime | None = None
    since: StoredTime | None = None
    waited_seconds: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    edit: Annotated[EditKind, Field(strict=False)] | None = None
    changes: list[FieldChange] = []


class RecordedDocument(Form):
    """The fields of an audit event that the history of a license is counted from."""

    at: StoredTime
    type: Annotated[AuditType, Field(strict=False)]
    license_id: str
    session_id: str | None = None
    user_id: str | None = None
    details: _RecordedDetails = _RecordedDetails()


_HalfHours = Annotated[list[_Count], Field(min_length=HALF_HOURS, max_length=HALF_HOURS)]


def _by_level(seconds_at: dict[str, int]) -> dict[str, int]:
    """The levels in their order. Firestore gives the fields of a map in the order of their names."""
    return {level: seconds_at[level] for level in sorted(seconds_at, key=int)}


_SecondsAt = Annotated[dict[Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,8})$")], _Count], AfterValidator(_by_level)]


class WaitsEntry(Form):
    """The ``waits`` of a day."""

    count: _Count
    p50_seconds: _Count | None
    p95_seconds: _Count | None


class UsageDayDocument(Form):
    """``organizations/{org_id}/usage_days/{license_id}~{YYYY-MM-DD}``: a license's day. Written by the functions."""

    license_id: _DocumentId
    date: Annotated[str, Field(pattern=r"^(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}$")]
    peak_in_use: _HalfHours
    peak_demand: _HalfHours
    seats: Annotated[list[_Count | None], Field(min_length=HALF_HOURS, max_length=HALF_HOURS)]
    full_seconds: _HalfHours
    denied_people: _HalfHours
    seconds_at: _SecondsAt
    demand_seconds_at: _SecondsAt
    seat_seconds: _Count
    idle_seat_seconds: _Count
    borrowed_seat_seconds: _Count
    overdraft_seat_seconds: _Count
    waits: WaitsEntry
    people_denied: _Count
    people_turned_away: _Count
    computed_at: StoredTime
    is_settled: bool


class SeatUseDocument(Form):
    """``organizations/{org_id}/usage/seats``: the counters. Written by the functions."""

    total: int
    by_license: dict[str, _Count]
    by_pool: Annotated[dict[str, dict[str, _Count]], Field(default_factory=dict)]
    grants: _Count
    epoch: str | None = None
    checksum: int
