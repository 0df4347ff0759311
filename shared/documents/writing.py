"""Turns the records of the rules into document fields and writes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.documents.paths import OrganizationPaths, sign_in_path
from shared.documents.remembering import remembered
from shared.firestore.client import Document
from shared.firestore.values import Plain
from shared.firestore.writes import Add, Create, Update, Upsert, Write
from shared.rules.admission import Invitation
from shared.rules.audit import AuditEvent
from shared.rules.digest import BASE32
from shared.rules.line import PlaceInLine
from shared.rules.seat_use import Pool, SeatUse, checksum_change
from shared.rules.session import Session
from shared.rules.sign_in import SignIn
from shared.rules.user import User

EXPIRY_SHARDS = 8
"""Open sessions are found by the end of their lease, through an index whose values only grow. One index range takes
about 500 writes a second, so the range is split into this many. Source: Firestore's best practices on monotonically
increasing values."""


UNPUBLISHED_SHARDS = 16
"""Unpublished audit events are found by their time, through an index whose values only grow. It is split like that of
the sessions. Its field ``unpublished_shard`` is there until the event is published, so it holds unpublished ones only.
"""


REPORTED = "reported"
"""The field of a user's review record with the fields that a function has reported on behalf of a person."""

PLACES_KEPT_FOR = timedelta(days=1)
"""How long after its time a place in the line is kept, if no run of ``expire_sessions`` removed it."""

LINE_SAID_FOR = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How long ended sessions and audit events are kept before Firestore's TTL policy may delete them."""

    sessions_for: timedelta
    audit_events_for: timedelta


def expiry_shard(session_id: str) -> int:
    """Spread sessions evenly over 0 to ``EXPIRY_SHARDS`` - 1, by the id, which is a hash.

    A session made by hand may have an id that begins with a character of no hash. It goes to the last shard.
    """
    return BASE32.find(session_id[0]) % EXPIRY_SHARDS


def unpublished_shard(event_name: str) -> int:
    """Spread events evenly over 0 to ``UNPUBLISHED_SHARDS`` - 1, by the name, which is a hash."""
    return BASE32.index(event_name[0]) % UNPUBLISHED_SHARDS


def session_fields(session: Session, retention: Retention) -> dict[str, Plain]:
    """All fields of a session but its id, which is the document's id."""
    # Field by field: dataclasses.asdict makes deep copies, which took a fifth of the CPU of an acquire.
    return {
        "license_id": session.license_id,
        "user_id": session.user_id,
        "user_email": session.user_email,
        "hardware_id": session.hardware_id,
        "ip_address": session.ip_address,
        "user_agent": session.user_agent,
        "started_at": session.started_at,
        "last_heartbeat_at": session.last_heartbeat_at,
        "lease_expires_at": session.lease_expires_at,
        "instances": _instances(session),
        "pool": session.pool,
        "is_overdraft": session.is_overdraft,
        "borrowed_until": session.borrowed_until,
        "expiry_shard": expiry_shard(session.session_id),
        **_end_fields(session, retention),
    }


def _end_fields(session: Session, retention: Retention) -> dict[str, Plain]:
    return {
        "ended_at": session.ended_at,
        "end_reason": None if session.end_reason is None else session.end_reason.value,
        "purge_at": None if session.ended_at is None else session.ended_at + retention.sessions_for,
    }


def lease_write(document: Document, session: Session) -> Update:
    """Write the new lease after a heartbeat and nothing else: it is the most frequent write of all."""
    fields: dict[str, Plain] = {
        "last_heartbeat_at": session.last_heartbeat_at,
        "lease_expires_at": session.lease_expires_at,
    }
    if (instances := _instances(session)) != document.fields.get("instances"):
        fields["instances"] = instances
    return Update(path=document.path, fields=fields, unchanged_since=document.update_time)


def instances_write(document: Document, session: Session) -> Update | None:
    """Write which instances are left; ``None`` if none has gone."""
    fields: dict[str, Plain] = {"instances": _instances(session)}
    if document.fields.get("instances") == fields["instances"]:
        return None
    return Update(path=document.path, fields=fields, unchanged_since=document.update_time)


def end_write(document: Document, session: Session, retention: Retention) -> Update:
    """Write the end of a session and nothing else."""
    fields = _end_fields(session, retention)
    return Update(path=document.path, fields=fields, unchanged_since=document.update_time)


def kept_out_writes(document: Document, record: Document | None, user: User) -> list[Update]:
    """Write until when a user is kept out. The review record remembers it, so it is no edit by hand."""
    kept_out: Plain = dict(user.kept_out)
    writes = [Update(path=document.path, fields={"kept_out": kept_out}, unchanged_since=document.update_time)]
    known = {} if record is None else {name: record.fields.get(name) for name in ("fields", REPORTED)}
    told = {"kept_out": remembered(kept_out)}
    fields: dict[str, Plain] = {name: {**each, **told} for name, each in known.items() if isinstance(each, Mapping)}
    if record is not None and fields:
        writes.append(Update(path=record.path, fields=fields, unchanged_since=record.update_time))
    return writes


def user_fields(user: User, *, now: datetime) -> dict[str, Plain]:
    """All fields of a new user but its id, which is the document's id. An address that is not proven is left out."""
    fields: dict[str, Plain] = {
        "role": user.role.value,
        "is_active": user.is_active,
        "groups": list(user.groups),
        "created_at": now,
    }
    return fields if user.email is None else {**fields, "email": user.email}


def changed_user_write(document: Document, *, before: User, after: User) -> Update:
    """Write what an owner or admin changed of a user, and nothing else."""
    then, now = (
        {"role": user.role.value, "is_active": user.is_active, "groups": [*user.groups]} for user in (before, after)
    )
    fields: dict[str, Plain] = {name: value for name, value in now.items() if value != then[name]}
    return Update(path=document.path, fields=fields, unchanged_since=document.update_time)


def reported_write(path: str, record: Document | None, user_id: str, fields: Mapping[str, Plain]) -> Write | None:
    """Note in a user's review record that these fields are reported, so that the review reports only what differs.

    The record also gets the user's id, by which all documents of the user are found.
    """
    told: dict[str, Plain] = {name: remembered(value) for name, value in fields.items()}
    return document_write(path, record, {"user_id": user_id, REPORTED: told})


def reported_change_write(record: Document | None, fields: Mapping[str, Plain]) -> Update | None:
    """The same for a change of a user who was reviewed before; ``None`` if no review has seen the user yet."""
    known = None if record is None else record.fields.get(REPORTED) or record.fields.get("fields")
    if record is None or not isinstance(known, Mapping):
        return None
    told: Plain = {**known, **{name: remembered(value) for name, value in fields.items()}}
    return Update(path=record.path, fields={REPORTED: told}, unchanged_since=record.update_time)


def invitation_fields(invitation: Invitation) -> dict[str, Plain]:
    """All fields of an invitation but its id, which is the document's id."""
    return {
        "email": invitation.email,
        "role": invitation.role.value,
        "groups": list(invitation.groups),
        "invited_by": invitation.invited_by,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
        "purge_at": invitation.expires_at,
    }


def _instances(session: Session) -> list[Plain] | None:
    """``None`` for most sessions: one program that names no instance, of which the session's own fields say all."""
    if len(session.instances) == 1:
        (only,) = session.instances
        own = (None, session.ip_address, session.last_heartbeat_at)
        if (only.instance_id, only.ip_address, only.last_heard_at) == own:
            return None
    return [
        {"instance_id": each.instance_id, "ip_address": each.ip_address, "last_heard_at": each.last_heard_at}
        for each in session.instances
    ]


def seat_use_fields(use: SeatUse, *, now: datetime) -> dict[str, Plain]:
    return {
        "total": use.total,
        "by_license": dict(use.by_license),
        "by_pool": _nested(use.by_pool),
        "grants": use.grants,
        "epoch": use.epoch,
        "checksum": use.checksum,
        "updated_at": now,
    }


def _nested(by_pool: Mapping[Pool, int]) -> dict[str, Plain]:
    nested: dict[str, dict[str, Plain]] = {}
    for (license_id, group), seats in by_pool.items():
        nested.setdefault(license_id, {})[group] = seats
    return {**nested}


def seat_use_change(
    paths: OrganizationPaths, changes: Mapping[str, int], *, granted: int, pools: Mapping[Pool, int]
) -> Add:
    """Add to the counters, whatever their values are at the commit."""
    numbers: dict[tuple[str, ...], int] = {("by_license", key): change for key, change in changes.items() if change}
    numbers |= {("by_pool", *pool): change for pool, change in pools.items() if change}
    numbers["total",] = sum(changes.values())
    numbers["grants",] = granted
    numbers["checksum",] = checksum_change(changes, grants=granted, by_pool=pools)
    return Add(path=paths.seats, numbers={field: number for field, number in numbers.items() if number})


def place_in_line_fields(place: PlaceInLine) -> dict[str, Plain]:
    """All fields of a place in the line but its id, which is the document's id."""
    return {
        "license_id": place.license_id,
        "user_id": place.user_id,
        "hardware_id": place.hardware_id,
        "groups": list(place.groups),
        "since": place.since,
        "asked_at": place.asked_at,
        "wait_until": place.wait_until,
        "counts_until": place.counts_until,
        "purge_at": place.wait_until + PLACES_KEPT_FOR,
    }


def line_write(paths: OrganizationPaths, until: Mapping[str, datetime]) -> Add:
    """Say in the counters until when users may be waiting for these licenses, if it does not say so already.

    It says a minute more, so that it is written about once a minute, however many users wait and ask.
    """
    raised: dict[tuple[str, ...], int] = {
        ("line_until", license_id): math.ceil((at + LINE_SAID_FOR).timestamp()) for license_id, at in until.items()
    }
    return Add(path=paths.seats, numbers={}, raised=raised)


def sign_in_create(sign_in: SignIn) -> Create:
    """Create a sign-in. The commit fails if there is one with the same user code. It is purged when its time is over.

    No code of it is stored: the id is made from the user code, and the browser's code is stored as a hash.
    """
    fields: dict[str, Plain] = {
        "code_challenge": sign_in.code_challenge,
        "device_name": sign_in.device_name,
        "ip_address": sign_in.ip_address,
        "loopback_port": sign_in.loopback_port,
        "asked_at": sign_in.asked_at,
        "expires_at": sign_in.expires_at,
        "purge_at": sign_in.expires_at,
        **_decision_fields(sign_in),
    }
    return Create(path=sign_in_path(sign_in.sign_in_id), fields=fields)


def sign_in_write(document: Document, sign_in: SignIn) -> Update:
    """Write what was decided about a sign-in and nothing else."""
    return Update(path=document.path, fields=_decision_fields(sign_in), unchanged_since=document.update_time)


def _decision_fields(sign_in: SignIn) -> dict[str, Plain]:
    approval = sign_in.approval
    decided: dict[str, Plain] | None = None
    if approval is not None:
        decided = {
            "user_id": approval.user_id,
            "organization_id": approval.organization_id,
            "signed_in_at": approval.signed_in_at,
            "signed_in_with": approval.signed_in_with,
            "code_hash": approval.code_hash,
        }
    return {"state": sign_in.state.value, "approval": decided}


def audit_event_fields(event: AuditEvent, paths: OrganizationPaths, retention: Retention) -> dict[str, Plain]:
    """All fields of an unpublished audit event but its id, which is the document's id."""
    return {
        "type": event.type.value,
        "at": event.at,
        "actor": event.actor,
        "organization_id": paths.organization_id,
        "license_id": event.license_id,
        "session_id": event.session_id,
        "user_id": event.user_id,
        "hardware_id": event.hardware_id,
        "grant_number": event.grant_number,
        **({} if event.epoch is None else {"epoch": event.epoch}),
        "details": event.details,
        "published_at": None,
        "unpublished_shard": unpublished_shard(event.name),
        "purge_at": event.at + retention.audit_events_for,
    }


def published_write(document: Document, *, now: datetime) -> Update:
    """Note in an audit event that it is published. The field that unpublished events are found by is taken away."""
    return Update(
        path=document.path,
        fields={"published_at": now},
        without=("unpublished_shard",),
        unchanged_since=document.update_time,
    )


def is_published(event: Document) -> bool:
    # An earlier version, which may go on for a moment during an upgrade, writes no shard.
    return "unpublished_shard" not in event.fields and event.fields.get("published_at") is not None


def audit_event_write(event: AuditEvent, paths: OrganizationPaths, retention: Retention) -> Create:
    """Create an audit event. The commit fails if the event exists: it was reported before."""
    return Create(path=paths.audit_event(event.name), fields=audit_event_fields(event, paths, retention))


def denial_write(event: AuditEvent, paths: OrganizationPaths, retention: Retention, *, attempts: int) -> Upsert:
    """Add refused attempts to the denial of their minute. Each detail is set alone, so that their number is kept."""
    written = audit_event_fields(event, paths, retention)
    del written["details"]
    fields: dict[tuple[str, ...], Plain] = {(name,): value for name, value in written.items()}
    fields |= {("details", name): value for name, value in event.details.items()}
    return Upsert(path=paths.audit_event(event.name), fields=fields, numbers={("details", "attempts"): attempts})


def document_write(path: str, stored: Document | None, fields: Mapping[str, Plain]) -> Create | Update | None:
    """Write the fields that differ from the stored document, or ``None`` if none does.

    The commit fails if the document has changed since it was read.
    """
    if stored is None:
        return Create(path=path, fields=fields)
    changed = {
        name: value for name, value in fields.items() if name not in stored.fields or stored.fields[name] != value
    }
    return Update(path=path, fields=changed, unchanged_since=stored.update_time) if changed else None
