"""One organization in memory: does to its sessions and counters what the rules decide, one operation after another."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.rules import acquire, heartbeat, release
from shared.rules.audit import SYSTEM, AuditEvent
from shared.rules.audit import acquired as audit_acquired
from shared.rules.audit import ended as audit_ended
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import Unusable
from shared.rules.seat_use import SeatUse, checksum_change
from shared.rules.session import EndReason, Session, ended, is_live, is_open, pool_change, session_id_of
from shared.rules.user import User
from tests.rules.make import INSTANT, NOW, a_device


@dataclass(kw_only=True)
class World:
    """Documents as they stand at ``now``. ``checksum`` is kept up by blind additions, as the stored one is."""

    organization: Organization | Unusable | None
    users: dict[str, User | Unusable | None]
    licenses: dict[str, License | Unusable | None]
    now: datetime = NOW
    sessions: dict[str, Session] = field(default_factory=dict)
    use: SeatUse = field(default_factory=SeatUse)
    checksum: int = field(default_factory=lambda: SeatUse().checksum)
    events: list[AuditEvent] = field(default_factory=list)

    def open_seats(self) -> Counter[str]:
        """Count the seats of each license from the sessions, which are the truth."""
        return Counter(session.license_id for session in self.sessions.values() if is_open(session))

    def lapsed(self) -> list[Session]:
        return [held for held in self.sessions.values() if is_open(held) and not is_live(held, now=self.now)]

    def others_than(self, some: list[Session]) -> list[Session]:
        names = {session.session_id for session in some}
        return [session for session_id, session in self.sessions.items() if session_id not in names]

    def acquire(
        self, *, user_id: str, license_id: str, hardware_id: str, borrow_until: datetime | None = None
    ) -> acquire.AcquireOutcome:
        session_id = session_id_of(license_id=license_id, user_id=user_id, hardware_id=hardware_id)
        standing = acquire.Standing(
            organization=self.organization,
            user=self.users[user_id],
            license=self.licenses[license_id],
            session=self.sessions.get(session_id),
            use=self.use,
            borrowed=[held for held in self.sessions.values() if held.license_id == license_id],
            own=[held for held in self.sessions.values() if (held.user_id, held.license_id) == (user_id, license_id)],
        )
        outcome = acquire.acquire(standing, a_device(hardware_id), now=self.now, borrow_until=borrow_until)
        if isinstance(outcome, acquire.Granted):
            if outcome.replaced is not None:
                self._end(outcome.replaced, actor=SYSTEM)
            self._count(outcome.session, 1, granted=1)
            self.events.append(audit_acquired(outcome.session, grant_number=self.use.grants, details={}))
        if isinstance(outcome, acquire.Granted | acquire.Renewed | acquire.Borrowed):
            self.sessions[outcome.session.session_id] = outcome.session
        self._pass_an_instant()
        return outcome

    def heartbeat(
        self, *, user_id: str, session_id: str, idle_for: timedelta | None = None
    ) -> heartbeat.HeartbeatOutcome:
        session = self.sessions.get(session_id)
        standing = heartbeat.Standing(
            organization=self.organization,
            user=self.users[user_id],
            license=None if session is None else self.licenses[session.license_id],
            session=session,
        )
        outcome = heartbeat.heartbeat(standing, user_id=user_id, now=self.now, idle_for=idle_for)
        if isinstance(outcome, heartbeat.Stopped):
            self._end(outcome.session, actor=SYSTEM)
        elif isinstance(outcome, heartbeat.Extended):
            self.sessions[session_id] = outcome.session
        self._pass_an_instant()
        return outcome

    def release(self, *, user_id: str, session_id: str) -> release.ReleaseOutcome:
        standing = release.Standing(
            organization=self.organization, user=self.users[user_id], session=self.sessions.get(session_id)
        )
        outcome = release.release(standing, user_id=user_id, now=self.now)
        if isinstance(outcome, release.Released):
            self._end(outcome.session, actor=user_id)
        self._pass_an_instant()
        return outcome

    def expire(self) -> None:
        """End every lapsed session, as the scheduled function does, and acquire before it refuses anyone."""
        for session in self.lapsed():
            self._end(ended(session, reason=EndReason.EXPIRED, now=self.now), actor=SYSTEM)
        self._pass_an_instant()

    def _end(self, session: Session, *, actor: str) -> None:
        self.sessions[session.session_id] = session
        self._count(session, -1, granted=0)
        self.events.append(audit_ended(session, actor=actor))

    def _count(self, session: Session, seats: int, *, granted: int) -> None:
        changes, pools = {session.license_id: seats}, pool_change(session, seats)
        self.use = self.use.changed(changes, granted=granted, pools=pools)
        self.checksum += checksum_change(changes, grants=granted, by_pool=pools)

    def _pass_an_instant(self) -> None:
        # Firestore reads a document that was changed at a time after that change: no two tenures start together.
        self.now += INSTANT
