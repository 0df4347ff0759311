"""A simple acquire and release: a counter document in a transaction that locks what it reads.

It does the same reads and writes as the product and checks the same caps, one transaction for each request, on
functions-framework's default, threaded server. It leaves out the token and the search for the license key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import functions_framework
from flask import Request
from google.cloud import firestore

_Answer = tuple[dict[str, str], int]
_Work = Callable[[firestore.Transaction, "_Asked"], _Answer]
_Snapshot = firestore.DocumentSnapshot[firestore.DocumentReference]
_LEASE_FOR = timedelta(minutes=6)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    organization: firestore.DocumentReference
    user_id: str
    license_id: str
    hardware_id: str
    session: firestore.DocumentReference
    seats: firestore.DocumentReference
    event: firestore.DocumentReference


@cache
def _database() -> firestore.Client:
    return firestore.Client()


@functions_framework.http
def locking(request: Request) -> _Answer:
    """Do ``acquire`` or ``release``, as ``op`` says; 500 when the library gives up."""
    body = request.get_json()
    organization = _database().collection("organizations").document(body["organization_id"])
    asked = _Asked(
        organization=organization,
        user_id=body["user_id"],
        license_id=body["license_id"],
        hardware_id=body["hardware_id"],
        session=organization.collection("sessions").document(f"{body['user_id']}-{body['hardware_id']}"),
        seats=organization.collection("usage").document("seats"),
        event=organization.collection("audit_events").document(),
    )
    work: _Work = _acquire if body["op"] == "acquire" else _release
    # A new one for each call: it remembers its transaction, and the threads of this server would share it.
    answer: _Answer = firestore.transactional(work)(_database().transaction(), asked)
    return answer


def _read(transaction: firestore.Transaction, asked: _Asked) -> dict[str, _Snapshot]:
    """Read everything in one call, which is the fewest that a transaction can do with."""
    organization = asked.organization
    wanted = [
        organization,
        organization.collection("users").document(asked.user_id),
        organization.collection("licenses").document(asked.license_id),
        asked.session,
        asked.seats,
    ]
    return {snapshot.reference.path: snapshot for snapshot in transaction.get_all(wanted)}


def _acquire(transaction: firestore.Transaction, asked: _Asked) -> _Answer:
    stored, now = _read(transaction, asked), datetime.now(UTC)
    organization = stored[asked.organization.path]
    user = stored[f"{asked.organization.path}/users/{asked.user_id}"]
    license_ = stored[f"{asked.organization.path}/licenses/{asked.license_id}"]
    if not all(each.exists and each.get("is_active") for each in (organization, user, license_)):
        return {"code": "NOT_ALLOWED"}, 403
    session, use = stored[asked.session.path], _use(stored[asked.seats.path])
    if session.exists and session.get("ended_at") is None and now < session.get("lease_expires_at"):
        transaction.update(asked.session, {"last_heartbeat_at": now, "lease_expires_at": now + _LEASE_FOR})
        return {"session_id": asked.session.id}, 200
    cap = organization.get("max_concurrent_seats")
    if use.get(asked.license_id, 0) >= license_.get("max_concurrent_seats"):
        return {"code": "SEAT_LIMIT_REACHED"}, 409
    if cap is not None and sum(use.values()) >= cap:
        return {"code": "ORGANIZATION_SEAT_LIMIT_REACHED"}, 409
    begun = {
        "license_id": asked.license_id,
        "user_id": asked.user_id,
        "user_email": user.get("email"),
        "hardware_id": asked.hardware_id,
        "started_at": now,
        "last_heartbeat_at": now,
        "lease_expires_at": now + _LEASE_FOR,
        "ended_at": None,
        "end_reason": None,
    }
    transaction.set(asked.session, begun)
    _record(transaction, asked, "session.acquired", {**use, asked.license_id: use.get(asked.license_id, 0) + 1}, now)
    return {"session_id": asked.session.id}, 201


def _release(transaction: firestore.Transaction, asked: _Asked) -> _Answer:
    stored, now = _read(transaction, asked), datetime.now(UTC)
    session, use = stored[asked.session.path], _use(stored[asked.seats.path])
    if not session.exists:
        return {"code": "SESSION_NOT_FOUND"}, 404
    if session.get("ended_at") is None:
        transaction.update(asked.session, {"ended_at": now, "end_reason": "released"})
        left = {**use, asked.license_id: use.get(asked.license_id, 0) - 1}
        _record(transaction, asked, "session.released", left, now)
    return {}, 204


def _use(seats: _Snapshot) -> dict[str, int]:
    return dict(seats.get("by_license")) if seats.exists else {}


def _record(
    transaction: firestore.Transaction, asked: _Asked, event_type: str, use: dict[str, int], now: datetime
) -> None:
    transaction.set(asked.seats, {"by_license": use, "total": sum(use.values()), "updated_at": now})
    event = {
        "type": event_type,
        "at": now,
        "actor": asked.user_id,
        "organization_id": asked.organization.id,
        "license_id": asked.license_id,
        "session_id": asked.session.id,
        "user_id": asked.user_id,
        "hardware_id": asked.hardware_id,
        "details": {"in_use": use[asked.license_id]},
        "published_at": None,
    }
    transaction.create(asked.event, event)
