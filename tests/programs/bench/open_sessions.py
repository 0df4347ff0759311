"""Open sessions of many organizations, written without the functions, and a check that expire ended them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import firestore

from infra.local.seed import organization_documents
from shared.documents.paths import OrganizationPaths
from shared.documents.writing import Retention, seat_use_fields, session_fields
from shared.firestore.client import Firestore
from shared.firestore.writes import Create
from shared.rules.audit import AuditType
from shared.rules.seat_use import SeatUse
from shared.rules.session import EndReason, Session, session_id_of
from tests.programs.bench.tenants import LICENSE_ID

_DEVICES_EACH = 10
_ENDS_WITHIN = timedelta(minutes=1)
_LEASE_FOR = timedelta(minutes=6)
_WRITTEN_AT_A_TIME, _WRITTEN_WITHIN = 1_000, timedelta(seconds=60)
# Open sessions and unpublished events are purged at no time, whatever this is.
_RETENTION = Retention(sessions_for=timedelta(days=30), audit_events_for=timedelta(days=400))


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenSessions:
    """Organizations, each with as many open sessions, counted in its counters as the seats that they hold.

    The last lease ends at ``until``, the first one a minute earlier.
    """

    organization_ids: tuple[str, ...]
    sessions_each: int
    until: datetime

    @property
    def sessions(self) -> int:
        """How many there are in all."""
        return len(self.organization_ids) * self.sessions_each

    def documents(self) -> Iterator[Create]:
        """Make every document.

        The ends of the leases of all organizations are mixed, so that what lapsed longest ago is spread over them, as
        it is in life.
        """
        now, step = datetime.now(UTC), _ENDS_WITHIN / self.sessions
        users = [f"user-{number}" for number in range(-(-self.sessions_each // _DEVICES_EACH))]
        for number, organization_id in enumerate(self.organization_ids):
            paths = OrganizationPaths(organization_id)
            for path, fields in organization_documents(
                organization_id=organization_id,
                name=organization_id,
                license_key=f"BENCH-{organization_id}",
                seats=self.sessions_each,
                people=[(user_id, "member") for user_id in users],
            ):
                yield Create(path=path, fields=fields)
            for place in range(self.sessions_each):
                ends_at = self.until - (place * len(self.organization_ids) + number) * step
                user_id, hardware_id = users[place // _DEVICES_EACH], f"device-{place % _DEVICES_EACH}"
                session = open_session(user_id, hardware_id, lease_expires_at=ends_at)
                yield Create(path=paths.session(session.session_id), fields=session_fields(session, _RETENTION))
            use = SeatUse(by_license={LICENSE_ID: self.sessions_each}, grants=self.sessions_each)
            yield Create(path=paths.seats, fields=seat_use_fields(use, now=now))

    async def write(self, firestore_host: str, *, project: str) -> None:
        """Write every document, a thousand at a time."""
        with closing(Firestore(project=project, emulator_host=firestore_host, answer_within=_WRITTEN_WITHIN)) as store:
            await write_in_bulk(store, list(self.documents()))


async def write_in_bulk(store: Firestore, writes: Sequence[Create]) -> None:
    """Write documents, a thousand at a time."""
    for first in range(0, len(writes), _WRITTEN_AT_A_TIME):
        await store.commit(writes[first : first + _WRITTEN_AT_A_TIME])


def open_session(user_id: str, hardware_id: str, *, lease_expires_at: datetime) -> Session:
    """A session of eight hours until the end of its lease, which is not ended yet."""
    return Session(
        session_id=session_id_of(license_id=LICENSE_ID, user_id=user_id, hardware_id=hardware_id),
        license_id=LICENSE_ID,
        user_id=user_id,
        user_email=f"{user_id}@example.com",
        hardware_id=hardware_id,
        ip_address="203.0.113.7",
        user_agent="bench/1.0",
        started_at=lease_expires_at - timedelta(hours=8),
        last_heartbeat_at=lease_expires_at - _LEASE_FOR,
        lease_expires_at=lease_expires_at,
    )


def what_is_wrong(database: firestore.Client, lapsed: OpenSessions) -> Counter[str]:
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
