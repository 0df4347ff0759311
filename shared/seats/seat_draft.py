"""The seats of one organization while a group of acquires is decided: what was read, and what will be written.

An attempt that is repeated starts with a new draft; nothing here touches the network.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.documents.paths import OrganizationPaths
from shared.documents.reading import place_in_line_from, session_from
from shared.documents.writing import (
    Retention,
    audit_event_write,
    denial_write,
    document_write,
    line_write,
    place_in_line_fields,
    seat_use_change,
    seat_use_fields,
    session_fields,
)
from shared.firestore.client import Document
from shared.firestore.writes import Delete, Write
from shared.rules.acquire import (
    AcquireOutcome,
    Borrowed,
    CapReached,
    Device,
    Granted,
    Queued,
    Renewed,
    Standing,
    acquire,
    earliest_expiry,
)
from shared.rules.audit import SYSTEM, AuditEvent, Detail, acquired, borrowed, gave_up, queued, renewed
from shared.rules.audit import ended as audit_ended
from shared.rules.denial import Denied, denied, limit_of
from shared.rules.license import License
from shared.rules.line import Line, PlaceInLine, Turn, counts, gave_up_because
from shared.rules.organization import Organization
from shared.rules.refusal import Unusable
from shared.rules.seat_use import Pool, SeatUse
from shared.rules.session import EndReason, Session, ended, is_live, is_open, pool_change, session_id_of
from shared.rules.user import User
from shared.seats.counters import Scope, repair_event
from shared.seats.license_keys import Found

_NO_LINE = Line()


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationState:
    """The documents that the acquires of a group share, parsed."""

    paths: OrganizationPaths
    organization: Organization | Unusable | None
    users: Mapping[str, User | Unusable | None]
    licenses: Mapping[str, License | Unusable | None]
    seats: Document | None
    use: SeatUse | None
    line_until: Mapping[str, int]


@dataclass(eq=False, kw_only=True, slots=True)
class SeatDraft:
    """One attempt at the acquires of a group.

    ``use`` are the seats in use as the sessions have it, ``in_use`` those after everything decided so far;
    ``stored_sessions`` the session documents read so far;
    ``stored_places`` the places in the line, and those that the requests had; ``news`` the renewals to report, unless
    the trail has them.
    """

    state: OrganizationState
    now: datetime
    use: SeatUse
    stored_sessions: Mapping[str, Document | None]
    stored_places: Mapping[str, Document] = field(default_factory=dict)
    in_use: SeatUse = field(init=False)
    _sessions: dict[str, Session | Unusable | None] = field(default_factory=dict)
    _changed: dict[str, Session] = field(default_factory=dict)
    _changes: Counter[str] = field(default_factory=Counter)
    _pools: Counter[Pool] = field(default_factory=Counter)
    _granted: int = 0
    _events: list[AuditEvent] = field(default_factory=list)
    news: list[AuditEvent] = field(default_factory=list)
    _denials: dict[str, AuditEvent] = field(default_factory=dict)
    _attempts: Counter[str] = field(default_factory=Counter)
    _places: dict[str, PlaceInLine] = field(default_factory=dict)
    _moved: set[str] = field(default_factory=set)
    _line_events: list[AuditEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Parse the sessions and report counters that were wrong."""
        self.in_use = self.use
        self._sessions = {key: session_from(document) for key, document in self.stored_sessions.items()}
        if self._repairs:
            repair = repair_event(self.state.seats, before=self.state.use, after=self.use, now=self.now)
            self._events += filter(None, [repair])
        stood = [place for each in self.stored_places.values() if (place := place_in_line_from(each)) is not None]
        for place in sorted(stood, key=lambda place: place.order):
            if counts(place, now=self.now):
                self._places[place.session_id] = place
            else:
                self._moved.add(place.session_id)
                reason = gave_up_because(place)
                self._line_events.append(gave_up(place, reason=reason, actor=SYSTEM, now=self.now))

    @property
    def _repairs(self) -> bool:
        """Whether the counters are written anew, because they were missing or wrong."""
        return self.state.use != self.use

    @property
    def _standing_line(self) -> Line:
        """The places in the line, and the licenses that can be used. Most groups have no line."""
        if not self._places:
            return _NO_LINE
        usable = {key: each for key, each in self.state.licenses.items() if isinstance(each, License)}
        return Line(places=tuple(self._places.values()), licenses=usable)

    def earliest_expiry(self, scope: Scope) -> datetime | None:
        """When the first known lease of a scope ends, after everything decided so far."""
        known = (session for session in self._sessions.values() if isinstance(session, Session))
        return earliest_expiry((each for each in known if scope in {None, each.license_id}), now=self.now)

    def end_lapsed(self, session_ids: Iterable[str]) -> None:
        """End those of these sessions whose lease has run out. Their seats can be given away in the same commit."""
        for session_id in session_ids:
            session = self._sessions[session_id]
            if isinstance(session, Session) and is_open(session) and not is_live(session, now=self.now):
                self._end(ended(session, reason=EndReason.EXPIRED, now=self.now))

    def acquire(
        self,
        *,
        user_id: str,
        found: Found,
        device: Device,
        borrow_until: datetime | None = None,
        wait_until: datetime | None = None,
    ) -> AcquireOutcome:
        """Decide one request, for the license found for its key, on top of those decided before it."""
        license_: License | Unusable | None = None
        session: Session | Unusable | None = None
        if isinstance(found, str):
            license_ = self.state.licenses[found]
            session_id = session_id_of(license_id=found, user_id=user_id, hardware_id=device.hardware_id)
            session = self._sessions[session_id]
        else:
            license_ = found
        standing = Standing(
            organization=self.state.organization,
            user=self.state.users[user_id],
            license=license_,
            session=session,
            use=self.in_use,
            own=self._own(license_, user_id),
            borrowed=[] if borrow_until is None else self._of(license_),
            line=self._standing_line,
        )
        outcome = acquire(standing, device, now=self.now, borrow_until=borrow_until, wait_until=wait_until)
        if isinstance(outcome, Granted):
            if outcome.replaced is not None:
                self._end(outcome.replaced)
            self._count(outcome.session, 1, granted=1)
            self._put(outcome.session)
            details = self._told_of(outcome.license)
            self._events.append(
                acquired(
                    outcome.session,
                    grant_number=self.in_use.grants,
                    epoch=self.in_use.epoch,
                    waited_for=outcome.waited_for,
                    details=details,
                )
            )
            if self._places.pop(outcome.session.session_id, None) is not None:
                self._moved.add(outcome.session.session_id)
            if outcome.session.borrowed_until is not None:
                self._lend(outcome.session)
        elif isinstance(outcome, Borrowed):
            self._put(outcome.session)
            self._lend(outcome.session)
        elif isinstance(outcome, Renewed):
            self._put(outcome.session)
            if outcome.news is not None:
                self.news.append(renewed(outcome.session, outcome.news, user_agent=device.user_agent))
        elif isinstance(outcome, Queued):
            self._queue(outcome.turn)
        return outcome

    def deny(self, *, user_id: str, license_id: str, device: Device, refusal: CapReached) -> None:
        """Report that a cap stood in the way of a request. Attempts of one user for one license add up."""
        user, license_ = self.state.users[user_id], self.state.licenses[license_id]
        assert isinstance(user, User)  # noqa: S101 a cap is asked only after everything else; for the type checker
        assert isinstance(license_, License)  # noqa: S101 as above
        session_id = session_id_of(license_id=license_id, user_id=user_id, hardware_id=device.hardware_id)
        attempt = Denied(
            session_id=session_id,
            license_id=license_id,
            user=user,
            device=device,
            limit=limit_of(refusal),
            for_waiting=refusal.for_waiting,
        )
        event = denied(attempt, use=self._told_of(license_), now=self.now)
        self._denials[event.name] = event
        self._attempts[event.name] += 1

    def writes(self, retention: Retention) -> list[Write]:
        """Everything that the decisions change.

        Each write has the condition that what they looked at still holds. Only counters and denials are added to
        blindly: nothing conflicts with a refusal.
        """
        paths = self.state.paths
        writes: list[Write] = []
        for session_id, session in self._changed.items():
            fields = session_fields(session, retention)
            write = document_write(paths.session(session_id), self.stored_sessions[session_id], fields)
            if write is not None:
                writes.append(write)
        writes.extend(audit_event_write(event, paths, retention) for event in (*self._events, *self._line_events))
        line = self._line()
        if self._events or (line and self.state.use is None):
            writes.extend(self._counters())
        writes.extend(line)
        for name, denial in self._denials.items():
            writes.append(denial_write(denial, paths, retention, attempts=self._attempts[name]))
        return writes

    def _counters(self) -> list[Write]:
        """Keep the counters.

        Added to blindly, they make no release wait for an acquire and no acquire for a release. That no two instances
        give the same seat away is seen to by the number of the grant, which names its audit event.

        The first grant has a condition. Until it is in the trail, counters that are deleted and made anew begin another
        epoch, in which it has another name.
        """
        paths = self.state.paths
        if not self._repairs and (self.use.grants or not self._granted):
            return [seat_use_change(paths, self._changes, granted=self._granted, pools=self._pools)]
        fields = seat_use_fields(self.in_use, now=self.now)
        repaired = document_write(paths.seats, self.state.seats, fields)
        return [] if repaired is None else [repaired]

    def _queue(self, turn: Turn) -> None:
        before = self._places.get(turn.place.session_id)
        if before is None:
            self._line_events.append(queued(turn.place, position=turn.position))
        if before != turn.place:
            self._places[turn.place.session_id] = turn.place
            self._moved.add(turn.place.session_id)

    def _line(self) -> list[Write]:
        """Write the places that changed, with the condition that nothing else changed them, and who has a line."""
        paths, writes = self.state.paths, list[Write]()
        until: dict[str, datetime] = {}
        for session_id in self._moved:
            stored, place = self.stored_places.get(session_id), self._places.get(session_id)
            if place is not None:
                write = document_write(paths.waiting(session_id), stored, place_in_line_fields(place))
                writes += filter(None, [write])
                if place.counts_until.timestamp() > self.state.line_until.get(place.license_id, 0):
                    until[place.license_id] = max(place.counts_until, until.get(place.license_id, place.counts_until))
            elif stored is not None:
                writes.append(Delete(path=stored.path, unchanged_since=stored.update_time))
        return [*writes, line_write(paths, until)] if until else writes

    def _own(self, license_: License | Unusable | None, user_id: str) -> list[Session]:
        """The user's sessions of a license that limits a user's devices."""
        if not isinstance(license_, License) or license_.max_devices_per_user is None:
            return []
        return [each for each in self._of(license_) if each.user_id == user_id]

    def _of(self, license_: License | Unusable | None) -> list[Session]:
        """The known sessions of a license."""
        known = (session for session in self._sessions.values() if isinstance(session, Session))
        return [each for each in known if isinstance(license_, License) and each.license_id == license_.license_id]

    def _lend(self, session: Session) -> None:
        self._count(session, 0, granted=1)
        number, epoch = self.in_use.grants, self.in_use.epoch
        self._events.append(borrowed(session, grant_number=number, epoch=epoch, now=self.now))

    def _put(self, session: Session) -> None:
        self._sessions[session.session_id] = self._changed[session.session_id] = session

    def _count(self, session: Session, seats: int, *, granted: int = 0) -> None:
        pools = pool_change(session, seats)
        self.in_use = self.in_use.changed({session.license_id: seats}, granted=granted, pools=pools)
        self._changes[session.license_id] += seats
        self._granted += granted
        if pools:
            self._pools.update(pools)

    def _end(self, session: Session) -> None:
        self._count(session, -1)
        self._put(session)
        self._events.append(audit_ended(session, actor=SYSTEM))

    def _told_of(self, license_: License) -> dict[str, Detail]:
        organization = self.state.organization
        cap = organization.max_concurrent_seats if isinstance(organization, Organization) else None
        return {
            "seats": {"in_use": self.in_use.of(license_.license_id), "max": license_.max_concurrent_seats},
            "organization_seats": {"in_use": self.in_use.total, "max": cap},
        }
