"""Lapsed sessions of many organizations, written without the functions, and a check that they were ended."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import firestore

from shared.documents.writing import Retention, seat_use_fields, session_fields
from shared.rules.audit import AuditType
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason, Session, session_id_of
from tests.programs.bench.tenants import LICENSE_ID, make_tenant

_DEVICES_EACH = 10
_LAPSED_WITHIN = timedelta(minutes=1)
_LEASE_FOR = timedelta(minutes=6)
# Open sessions and unpublished events are purged at no time, whatever this is.
_RETENTION = Retention(sessions_for=timedelta(days=30), audit_events_for=timedelta(days=400))


@dataclass(frozen=True, kw_only=True, slots=True)
class Lapsed:
    """Organizations, each with as many lapsed sessions, counted in its counters as the seats that they held."""

    organization_ids: tuple[str, ...]
    sessions_each: int

    @property
    def sessions(self) -> int:
        """How many there are in all."""
        return len(self.organization_ids) * self.sessions_each


def write_lapsed(database: firestore.Client, *, named: str, organizations: int, sessions_each: int) -> Lapsed:
    """Write new organizations whose every session lapsed during the last minute, each at a moment of its own.

    The moments of all organizations are mixed, so that what lapsed longest ago is spread over them, as it is in life.
    """
    lapsed = Lapsed(
        organization_ids=tuple(f"{named}-{number}" for number in range(organizations)), sessions_each=sessions_each
    )
    now = datetime.now(UTC) - timedelta(seconds=1)
    step = _LAPSED_WITHIN / lapsed.sessions
    for number, organization_id in enumerate(lapsed.organization_ids):
        tenant = make_tenant(
            database, organization_id, users=sessions_each // _DEVICES_EACH, devices_each=_DEVICES_EACH
        )
        batch = database.batch()
        organization = database.document(f"organizations/{organization_id}")
        for place, device in enumerate(tenant.devices):
            lapsed_at = now - (place * organizations + number) * step
            session = lapsed_session(device.user_id, device.hardware_id, lapsed_at=lapsed_at)
            batch.set(
                organization.collection("sessions").document(session.session_id), session_fields(session, _RETENTION)
            )
        use = SeatUse(by_license={LICENSE_ID: sessions_each}, grants=sessions_each)
        batch.set(organization.collection("usage").document("seats"), seat_use_fields(use, now=now))
        batch.commit()
    return lapsed


def lapsed_session(user_id: str, hardware_id: str, *, lapsed_at: datetime) -> Session:
    """A session of eight hours that has lapsed and is not ended yet."""
    return Session(
        session_id=session_id_of(license_id=LICENSE_ID, user_id=user_id, hardware_id=hardware_id),
        license_id=LICENSE_ID,
        user_id=user_id,
        user_email=f"{user_id}@example.com",
        hardware_id=hardware_id,
        ip_address="203.0.113.7",
        user_agent="bench/1.0",
        started_at=lapsed_at - timedelta(hours=8),
        last_heartbeat_at=lapsed_at - _LEASE_FOR,
        lease_expires_at=lapsed_at,
    )


def what_is_wrong(database: firestore.Client, lapsed: Lapsed) -> Counter[str]:
    """Look whether every session ended, was reported once, and gave its seat back; count what is not so, by its text.

    What else is in these organizations is counted as well: nothing is expected there.
    """
    wrong: Counter[str] = Counter()
    for organization_id in lapsed.organization_ids:
        organization = database.document(f"organizations/{organization_id}")
        sessions = list(organization.collection("sessions").select(["ended_at", "end_reason"]).stream())
        wrong["sessions are missing"] += abs(lapsed.sessions_each - len(sessions))
        wrong["a session has not ended: expired"] += sum(not _has_expired(session.to_dict()) for session in sessions)
        events = list(organization.collection("audit_events").select(["type", "session_id"]).stream())
        wrong["an audit event is not session.expired"] += sum(
            event.get("type") != AuditType.EXPIRED for event in events
        )
        reported = Counter(event.get("session_id") for event in events)
        wrong["a session has not one session.expired"] += sum(reported[session.id] != 1 for session in sessions)
        wrong["an event is of no session"] += len(reported.keys() - {session.id for session in sessions})
        counters = organization.collection("usage").document("seats").get().to_dict() or {}
        wrong["the counters are not zero"] += not _are_zero(counters, grants=lapsed.sessions_each)
    return +wrong


def _has_expired(fields: dict[str, Any]) -> bool:
    return fields.get("ended_at") is not None and fields.get("end_reason") == EndReason.EXPIRED


def _are_zero(counters: dict[str, Any], *, grants: int) -> bool:
    nothing_held = seat_use_fields(SeatUse(by_license={}, grants=grants), now=datetime.now(UTC))
    by_license = counters.get("by_license")
    return (
        all(counters.get(name) == nothing_held[name] for name in ("total", "grants", "checksum"))
        and isinstance(by_license, dict)
        and not any(by_license.values())
    )
