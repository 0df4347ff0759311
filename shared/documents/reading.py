"""Reads documents into the records that the rules work on.

Admins edit these documents by hand, so nothing in them is trusted. A missing optional field gets its default. A
document that cannot be used becomes an ``Unusable`` that names its fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from shared.documents.forms import (
    Form,
    InvitationDocument,
    LicenseDocument,
    OrganizationDocument,
    SeatUseDocument,
    SessionDocument,
    SignInDocument,
    UserDocument,
    WaitingDocument,
)
from shared.documents.paths import can_be_document_id
from shared.documents.policy import Policy
from shared.firestore.client import Document
from shared.rules.admission import Invitation
from shared.rules.license import License
from shared.rules.line import PlaceInLine
from shared.rules.organization import Organization
from shared.rules.refusal import Unusable
from shared.rules.seat_use import SeatUse
from shared.rules.session import Instance, Session
from shared.rules.sign_in import Approval, SignIn
from shared.rules.user import User

FIELDS_OF_A_TENURE = (
    "license_id",
    "user_id",
    "hardware_id",
    "ip_address",
    "started_at",
    "last_heartbeat_at",
    "lease_expires_at",
    "ended_at",
    "end_reason",
    "instances",
    "pool",
    "borrowed_until",
)
"""The fields that heartbeat and release decide by, and report in an end. A session can be read from them alone."""

_Parsed = TypeVar("_Parsed", bound=Form)


def _parse(model: type[_Parsed], document: Document, *, called: str) -> _Parsed | Unusable:
    try:
        return model.model_validate(document.fields)
    except ValidationError as error:
        fields = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors() if problem["loc"])
        return Unusable(document=called, document_path=document.path, fields=tuple(fields))


def organization_from(document: Document | None) -> Organization | Unusable | None:
    if document is None:
        return None
    parsed = _parse(OrganizationDocument, document, called="organization")
    if isinstance(parsed, Unusable):
        return parsed
    return Organization(
        organization_id=document.document_id,
        name=parsed.name,
        max_concurrent_seats=parsed.max_concurrent_seats,
        is_active=parsed.is_active,
        email_domains=tuple(parsed.email_domains),
        sso_providers=tuple(parsed.sso_providers),
    )


def user_from(document: Document | None) -> User | Unusable | None:
    if document is None:
        return None
    parsed = _parse(UserDocument, document, called="user")
    if isinstance(parsed, Unusable):
        return parsed
    return User(
        user_id=document.document_id,
        email=parsed.email,
        role=parsed.role,
        is_active=parsed.is_active,
        groups=tuple(parsed.groups),
        kept_out=parsed.kept_out or {},
    )


def license_from(document: Document | None, policy: Policy) -> License | Unusable | None:
    """Read a license. If it sets no lease or grace, it gets the policy's default."""
    if document is None:
        return None
    parsed = _parse(LicenseDocument, document, called="license")
    if isinstance(parsed, Unusable):
        return parsed
    return License(
        license_id=document.document_id,
        license_key=parsed.license_key,
        name=parsed.name,
        max_concurrent_seats=parsed.max_concurrent_seats,
        expires_at=parsed.expires_at,
        is_active=parsed.is_active,
        lease_for=_seconds(parsed.lease_seconds, default=policy.default_lease_for),
        grace_for=_seconds(parsed.grace_seconds, default=policy.default_grace_for),
        max_instances=parsed.max_instances_per_seat,
        starts_at=parsed.starts_at,
        features=parsed.features,
        allowed_groups=None if parsed.allowed_groups is None else frozenset(parsed.allowed_groups),
        reservations=parsed.reservations,
        max_devices_per_user=parsed.max_devices_per_user,
        overdraft_seats=parsed.overdraft_seats,
        idle_for=None if parsed.idle_seconds is None else timedelta(seconds=parsed.idle_seconds),
        borrow_for=timedelta(seconds=parsed.max_borrow_seconds),
        max_borrowed_seats=parsed.max_borrowed_seats,
    )


def problems_from(document: Document) -> tuple[str, ...]:
    """Read what the field ``problems`` of a document says to admins, a text for each. Other forms are left out.

    A notice about the key may say that another organization's license has it too, which is only for the vendor.
    """
    listed = document.fields.get("problems")
    entries = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    return tuple(
        f"{each['field']} ({each['level']}). Found: {each['found']}. Expected: {each['expected']}."
        for each in entries
        if {"field", "level", "found", "expected"} <= each.keys()
        and (each["field"], each["level"]) != ("license_key", "notice")
    )


def _seconds(number: int | None, *, default: timedelta) -> timedelta:
    return default if number is None else timedelta(seconds=number)


def session_from(document: Document | None) -> Session | Unusable | None:
    """Read a session. What an admin wrote with a wrong type is replaced where that gives nobody a longer lease.

    Without its license, user, device or beginning a session cannot be read.
    """
    if document is None:
        return None
    parsed = _parse(SessionDocument, document, called="session")
    if isinstance(parsed, Unusable):
        parsed = _parse(SessionDocument, _mended(document, parsed.fields), called="session")
    if isinstance(parsed, Unusable):
        return parsed
    return Session(
        session_id=document.document_id,
        license_id=parsed.license_id,
        user_id=parsed.user_id,
        user_email=parsed.user_email,
        hardware_id=parsed.hardware_id,
        ip_address=parsed.ip_address,
        user_agent=parsed.user_agent,
        started_at=parsed.started_at,
        last_heartbeat_at=parsed.last_heartbeat_at,
        lease_expires_at=parsed.lease_expires_at,
        ended_at=parsed.ended_at,
        end_reason=parsed.end_reason,
        instances=_instances_of(parsed),
        pool=parsed.pool,
        is_overdraft=parsed.is_overdraft,
        borrowed_until=parsed.borrowed_until,
    )


def _instances_of(session: SessionDocument) -> tuple[Instance, ...]:
    if session.instances is None:  # see ``_instances`` in ``writing.py``; an earlier version had no such field
        unnamed = Instance(instance_id=None, ip_address=session.ip_address, last_heard_at=session.last_heartbeat_at)
        return (unnamed,)
    return tuple(
        Instance(instance_id=each.instance_id, ip_address=each.ip_address, last_heard_at=each.last_heard_at)
        for each in session.instances
    )


def _mended(document: Document, wrong: Sequence[str]) -> Document:
    """Replace wrong times by the earliest possible ones, and leave out what is wrong and has a default.

    Firestore's query for sessions that have not ended leaves out one with something else than null in ``ended_at``, so
    its seat is free. Queries for live sessions leave out a lease that is no time, so it counts as run out.
    """
    form = SessionDocument.model_fields
    fields = {name: value for name, value in document.fields.items() if name not in wrong or form[name].is_required()}
    earlier = (("last_heartbeat_at", "started_at"), ("lease_expires_at", "last_heartbeat_at"))
    for name, before in (*earlier, ("ended_at", "last_heartbeat_at")):
        if name in wrong:
            fields[name] = fields.get(before)
    return replace(document, fields=fields)


def seat_use_from(document: Document | None) -> SeatUse | None:
    """Read the counters; ``None`` if they are missing or were edited by hand. The sessions must then be counted."""
    if document is None:
        return None
    parsed = _parse(SeatUseDocument, document, called="usage")
    if isinstance(parsed, Unusable):
        return None
    held = {license_id: seats for license_id, seats in parsed.by_license.items() if seats}
    pools = {
        (license_id, group): seats
        for license_id, by_group in parsed.by_pool.items()
        for group, seats in by_group.items()
        if seats
    }
    use = SeatUse(by_license=held, by_pool=pools, grants=parsed.grants, epoch=parsed.epoch)
    return use if parsed.total == use.total and parsed.checksum == use.checksum else None


def place_in_line_from(document: Document) -> PlaceInLine | None:
    """Read a place in the line; ``None`` if it was edited by hand so that it cannot be used. It then counts no more."""
    parsed = _parse(WaitingDocument, document, called="place in the line")
    if isinstance(parsed, Unusable):
        return None
    return PlaceInLine(
        session_id=document.document_id,
        license_id=parsed.license_id,
        user_id=parsed.user_id,
        hardware_id=parsed.hardware_id,
        groups=tuple(parsed.groups),
        since=parsed.since,
        asked_at=parsed.asked_at,
        wait_until=parsed.wait_until,
        counts_until=parsed.counts_until,
    )


def sign_in_from(document: Document | None) -> SignIn | None:
    """Read a sign-in; ``None`` if there is none, or it was edited by hand so that it cannot be used."""
    parsed = None if document is None else _parse(SignInDocument, document, called="sign-in")
    if document is None or parsed is None or isinstance(parsed, Unusable):
        return None
    approval = None if parsed.approval is None else Approval(**parsed.approval.model_dump())
    return SignIn(
        sign_in_id=document.document_id,
        code_challenge=parsed.code_challenge,
        device_name=parsed.device_name,
        ip_address=parsed.ip_address,
        loopback_port=parsed.loopback_port,
        asked_at=parsed.asked_at,
        expires_at=parsed.expires_at,
        state=parsed.state,
        approval=approval,
    )


def licenses_with_line(seats: Document | None, *, now: datetime) -> Mapping[str, int]:
    """The licenses that users may be waiting for, each with the Unix time until which the counters say so."""
    stored = None if seats is None else seats.fields.get("line_until")
    if not isinstance(stored, Mapping):
        return {}
    return {
        license_id: until
        for license_id, until in stored.items()
        if isinstance(until, int) and now.timestamp() < until and can_be_document_id(license_id)
    }


def invitation_from(document: Document | None) -> Invitation | None:
    """Read an invitation; ``None`` if there is none, or an edit by hand made it unusable or another address's."""
    if document is None:
        return None
    parsed = _parse(InvitationDocument, document, called="invitation")
    if isinstance(parsed, Unusable):
        return None
    invitation = Invitation(
        email=parsed.email,
        role=parsed.role,
        groups=tuple(parsed.groups),
        invited_by=parsed.invited_by,
        created_at=parsed.created_at,
        expires_at=parsed.expires_at,
    )
    return invitation if invitation.invitation_id == document.document_id else None
