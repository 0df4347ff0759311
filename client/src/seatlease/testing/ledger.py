"""What the fake service remembers, and how it decides: as the real one, and tests compare the two."""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from itertools import count

from seatlease._service.license_key import normal_key
from seatlease.lease import Feature

MAX_WAIT = timedelta(hours=4)
ASK_AGAIN, SILENT_INTERVALS = timedelta(seconds=5), 2.5
"""How often who waits asks again, and for how many such intervals a place counts. The real line has longer ones."""


@dataclass(kw_only=True)
class Session:
    session_id: str
    user: str
    hardware_id: str
    started_at: datetime
    decided_at: datetime
    lease_expires_at: datetime
    end_reason: str | None = None
    borrowed_until: datetime | None = None
    heard_at: dict[str | None, datetime] = field(default_factory=dict)
    """When each instance was last heard of. A program that names none is one instance, ``None``."""

    def extend(self, *, now: datetime, lease: timedelta) -> None:
        ends_at = now + lease
        self.decided_at = now
        self.lease_expires_at = ends_at if self.borrowed_until is None else max(ends_at, self.borrowed_until)

    def is_borrowed(self, *, now: datetime) -> bool:
        return self.borrowed_until is not None and now < self.borrowed_until and self.end_reason is None


@dataclass(kw_only=True)
class Place:
    """A place in the line. It counts until then, unless its program asks again."""

    session_id: str
    user: str
    since: datetime
    wait_until: datetime
    counts_until: datetime


@dataclass(frozen=True, kw_only=True)
class Queued:
    """There is no seat, and the caller waits in the line: the how many-th of how many."""

    place: Place
    position: int
    of: int
    ask_again_seconds: int


@dataclass(frozen=True, kw_only=True)
class Refusal:
    code: str
    status: int
    details: dict[str, object] = field(default_factory=dict)
    message: str = "refused by the fake service"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What was sold, as in the fields of a license. ``None``: no such limit."""

    features: Mapping[str, Feature] = field(default_factory=dict)
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    max_devices_per_user: int | None = None
    idle: timedelta | None = None
    max_borrow: timedelta = timedelta()
    max_borrowed_seats: int | None = None


class Ledger:
    """The sessions of one license. Several threads may use it."""

    def __init__(  # noqa: PLR0913 each is named at the call
        self,
        *,
        license_key: str,
        seats: int,
        lease: timedelta,
        grace: timedelta,
        max_instances: int | None,
        terms: Terms,
    ) -> None:
        self.license_key = license_key
        self.seats = seats
        self.max_instances = max_instances
        self.terms = terms
        self.lease = lease
        self.grace = grace
        self.is_reachable = True
        self.refusal: Refusal | None = None
        self.requests: list[tuple[str, int]] = []
        self._sessions: dict[str, Session] = {}
        self._line: dict[str, Place] = {}
        self._kept_out: dict[str, datetime] = {}
        self._offset = timedelta()
        self._others = count()
        self._one_at_a_time = threading.RLock()

    @property
    def now(self) -> datetime:
        return datetime.now(timezone.utc) + self._offset

    @property
    def in_use(self) -> int:
        with self._one_at_a_time:
            return len(self._live())

    def acquire(  # noqa: PLR0911 PLR0913 a line for each refusal, and each argument is named at the call
        self,
        *,
        user: str,
        license_key: str,
        hardware_id: str,
        instance_id: str | None,
        borrow_until: datetime | None = None,
        wait_until: datetime | None = None,
    ) -> tuple[Session, bool] | Queued | Refusal:
        """Take a seat, or renew the one that is held: then the second value is true.

        With ``wait_until``, and without a seat, take a place in the line or keep it. First come, first served.
        """
        with self._one_at_a_time:
            if self.refusal is not None:
                return self.refusal
            if normal_key(license_key) != normal_key(self.license_key):
                return Refusal(code="LICENSE_NOT_FOUND", status=404)
            if self._is_expired():
                return Refusal(code="LICENSE_EXPIRED", status=403)
            session_id = _session_id(normal_key(license_key), user, hardware_id)
            session = self._sessions.get(session_id)
            held = session if session is not None and self._is_live(session) else None
            not_lent = self._refuse_borrow(held, borrow_until)
            if held is not None:
                if (refusal := self._refuse_instance(held, instance_id) or not_lent) is not None:
                    return refusal
                self._extend(held, instance_id, borrow_until=borrow_until)
                return held, True
            if (refusal := self._refuse_grant(user) or not_lent) is not None:
                return refusal
            if wait_until is not None and wait_until > self.now + MAX_WAIT:
                return _wrong_time("wait_until", "more than 4 hours ahead")
            live, line = self._live(), self._waiting()
            before = next((at for at, each in enumerate(line) if each.session_id == session_id), len(line))
            if len(live) + before >= self.seats:
                full = self._full(live, waiting=len(line), before=before)
                return full if wait_until is None else self._wait(session_id, user, wait_until)
            self._line.pop(session_id, None)
            return self._open(session_id, user, hardware_id, instance_id, borrow_until=borrow_until), False

    def heartbeat(  # noqa: PLR0911 a line for each refusal
        self, *, user: str, session_id: str, instance_id: str | None, idle_seconds: int | None
    ) -> Session | Refusal:
        with self._one_at_a_time:
            session = self._sessions.get(session_id)
            if session is None or session.user != user:
                return Refusal(code="SESSION_NOT_FOUND", status=404)
            if session.end_reason == "released":
                return Refusal(code="SESSION_RELEASED", status=410)
            if session.end_reason == "idle":
                return Refusal(code="SESSION_IDLE", status=410)
            if session.end_reason is not None:
                return Refusal(code="SESSION_REVOKED", status=410, details={"reason": session.end_reason})
            if not self._is_live(session):
                return Refusal(code="SESSION_EXPIRED", status=410)
            if self.refusal is not None:
                return self.refusal
            if self._is_expired():
                session.end_reason = "license_expired"
                return Refusal(code="LICENSE_EXPIRED", status=403)
            idle = self.terms.idle
            if idle is not None and idle_seconds is not None and idle_seconds >= idle.total_seconds():
                return self._leave_idle(session, instance_id)
            if (refusal := self._refuse_instance(session, instance_id)) is not None:
                return refusal
            self._extend(session, instance_id)
            return session

    def release(self, *, user: str, session_id: str, instance_id: str | None) -> Refusal | None:
        with self._one_at_a_time:
            place = self._line.get(session_id)
            if place is not None and place.user == user:
                del self._line[session_id]
                return None
            session = self._sessions.get(session_id)
            if session is None or session.user != user:
                return Refusal(code="SESSION_NOT_FOUND", status=404)
            at_work = self._at_work(session)
            others = {name: at for name, at in at_work.items() if name != instance_id}
            if session.end_reason is None and instance_id is not None and others:
                session.heard_at = others
            elif session.end_reason is None:
                is_elsewhere = instance_id is None and bool(at_work) and None not in at_work
                session.end_reason = "released_elsewhere" if is_elsewhere else "released"
            return None

    def grace_ends_at(self, session: Session) -> datetime:
        """Give a grace only to a session that has lasted one lease, and none to a borrowed seat."""
        if session.lease_expires_at == session.borrowed_until:
            return session.lease_expires_at
        if session.decided_at - session.started_at < self.lease:
            return session.lease_expires_at
        ends_at, expires_at = session.lease_expires_at + self.grace, self.terms.expires_at
        return ends_at if expires_at is None else min(ends_at, max(expires_at, session.lease_expires_at))

    def occupy(self, seats: int) -> None:
        with self._one_at_a_time:
            for _ in range(seats):
                other = f"other-{next(self._others)}"
                self._open(_session_id(self.license_key, other, other), other, other, None)

    def vacate(self) -> None:
        with self._one_at_a_time:
            for session in self._sessions.values():
                if session.user.startswith("other-") and session.end_reason is None:
                    session.end_reason = "released"

    def end_all(self, reason: str) -> None:
        with self._one_at_a_time:
            for session in self._sessions.values():
                session.end_reason = session.end_reason or reason

    def keep_out(self, duration: timedelta) -> None:
        """Give the users of all live sessions no seat for this long, once those have ended."""
        with self._one_at_a_time:
            self._kept_out |= {session.user: self.now + duration for session in self._live()}

    def advance(self, by: timedelta) -> None:
        self._offset += by

    def _is_expired(self) -> bool:
        return self.terms.expires_at is not None and self.now >= self.terms.expires_at

    def _refuse_grant(self, user: str) -> Refusal | None:
        """Refuse what counts for a new seat only: the start, who is kept out, and the user's number of devices."""
        kept_out_until = self._kept_out.get(user)
        if kept_out_until is not None and self.now < kept_out_until:
            return Refusal(code="KEPT_OUT", status=403, details={"until": rfc3339(kept_out_until)})
        starts_at, most = self.terms.starts_at, self.terms.max_devices_per_user
        if starts_at is not None and self.now < starts_at:
            return Refusal(code="LICENSE_NOT_STARTED", status=403, details={"starts_at": rfc3339(starts_at)})
        own = sorted((each for each in self._live() if each.user == user), key=lambda each: each.started_at)
        if most is None or len(own) < most:
            return None
        earliest = min(each.lease_expires_at for each in own)
        sessions = [
            {"session_id": each.session_id, "hardware_id": each.hardware_id, "started_at": rfc3339(each.started_at)}
            for each in own
        ]
        details: dict[str, object] = {
            "sessions": sessions,
            "max": most,
            "earliest_expiry_at": rfc3339(earliest),
            "retry_after_seconds": self._seconds_until(earliest),
        }
        return Refusal(code="USER_DEVICE_LIMIT_REACHED", status=409, details=details)

    def _leave_idle(self, session: Session, instance_id: str | None) -> Refusal:
        """Take the seat from an idle instance, unless another one works on it."""
        others = {name: at for name, at in self._at_work(session).items() if name != instance_id}
        if others:
            session.heard_at = others
        else:
            session.end_reason = "idle"
        return Refusal(code="SESSION_IDLE", status=410)

    def _refuse_borrow(self, held: Session | None, until: datetime | None) -> Refusal | None:
        """Refuse to lend the seat, unless it is lent for so long already."""
        if until is None or (held is not None and held.borrowed_until is not None and held.borrowed_until >= until):
            return None
        now, terms = self.now, self.terms
        if not terms.max_borrow:
            return Refusal(code="BORROWING_OFF", status=403)
        if until <= now:
            return _wrong_time("borrow_until", "not later than now, by the database's clock")
        latest = now + terms.max_borrow
        latest = latest if terms.expires_at is None else min(latest, terms.expires_at)
        if until > latest:
            return Refusal(code="BORROW_TOO_LONG", status=403, details={"latest_until": rfc3339(latest)})
        away = [each for each in self._live() if each is not held and each.is_borrowed(now=now)]
        if terms.max_borrowed_seats is None or len(away) < terms.max_borrowed_seats:
            return None
        earliest = min((each.lease_expires_at for each in away), default=None)
        details: dict[str, object] = {
            "borrowed": len(away),
            "max": terms.max_borrowed_seats,
            "earliest_expiry_at": None if earliest is None else rfc3339(earliest),
            "retry_after_seconds": 60 if earliest is None else self._seconds_until(earliest),
        }
        return Refusal(code="BORROWED_SEATS_LIMIT_REACHED", status=409, details=details)

    def _refuse_instance(self, session: Session, instance_id: str | None) -> Refusal | None:
        """Refuse one instance too many."""
        at_work = self._at_work(session)
        named = [at for name, at in at_work.items() if name is not None]
        is_new = instance_id is not None and instance_id not in at_work
        if is_new and self.max_instances is not None and len(named) >= self.max_instances:
            earliest = min(named) + self._remembered_for(session)
            details: dict[str, object] = {
                "session_id": session.session_id,
                "instances": len(named),
                "max": self.max_instances,
                "earliest_expiry_at": rfc3339(earliest),
                "retry_after_seconds": self._seconds_until(earliest),
            }
            return Refusal(code="INSTANCE_LIMIT_REACHED", status=409, details=details)
        return None

    def _extend(self, session: Session, instance_id: str | None, *, borrow_until: datetime | None = None) -> None:
        """Start the lease anew. A borrow is never made shorter."""
        session.heard_at = {**self._at_work(session), instance_id: self.now}
        before = session.borrowed_until
        if borrow_until is not None:
            session.borrowed_until = borrow_until if before is None else max(before, borrow_until)
        session.extend(now=self.now, lease=self.lease)

    def _at_work(self, session: Session) -> dict[str | None, datetime]:
        return {name: at for name, at in session.heard_at.items() if self.now < at + self._remembered_for(session)}

    def _remembered_for(self, session: Session) -> timedelta:
        lease = session.lease_expires_at - session.decided_at
        return lease + lease / 12

    def _seconds_until(self, time: datetime) -> int:
        return min(60, max(1, math.ceil((time - self.now).total_seconds())))

    def _open(
        self,
        session_id: str,
        user: str,
        hardware_id: str,
        instance_id: str | None,
        *,
        borrow_until: datetime | None = None,
    ) -> Session:
        now = self.now
        session = Session(
            session_id=session_id,
            user=user,
            hardware_id=hardware_id,
            started_at=now,
            decided_at=now,
            lease_expires_at=now + self.lease,
            borrowed_until=borrow_until,
            heard_at={instance_id: now},
        )
        session.extend(now=now, lease=self.lease)
        self._sessions[session_id] = session
        return session

    def _is_live(self, session: Session) -> bool:
        return session.end_reason is None and self.now < session.lease_expires_at

    def _live(self) -> list[Session]:
        return [session for session in self._sessions.values() if self._is_live(session)]

    def _waiting(self) -> list[Place]:
        """The places that count, in their order."""
        self._line = {each.session_id: each for each in self._line.values() if self.now < each.counts_until}
        return sorted(self._line.values(), key=lambda each: (each.since, each.session_id))

    def _wait(self, session_id: str, user: str, until: datetime) -> Queued | Refusal:
        now = self.now
        if until <= now:
            return _wrong_time("wait_until", "not later than now, by the database's clock")
        place = self._line.get(session_id)
        if place is None:
            place = Place(session_id=session_id, user=user, since=now, wait_until=until, counts_until=until)
            self._line[session_id] = place
        place.wait_until, place.counts_until = until, min(until, now + SILENT_INTERVALS * ASK_AGAIN)
        line = self._waiting()
        seconds = int(ASK_AGAIN.total_seconds())
        return Queued(place=place, position=line.index(place) + 1, of=len(line), ask_again_seconds=seconds)

    def _full(self, live: list[Session], *, waiting: int, before: int) -> Refusal:
        earliest = min((session.lease_expires_at for session in live), default=None)
        seconds = 60 if earliest is None else self._seconds_until(earliest)
        details: dict[str, object] = {
            "in_use": len(live),
            "max": self.seats,
            "reserved_for_others": 0,
            "waiting": waiting,
            "for_waiting": min(before, max(0, self.seats - len(live))),
            "earliest_expiry_at": None if earliest is None else rfc3339(earliest),
            "retry_after_seconds": seconds,
        }
        return Refusal(code="SEAT_LIMIT_REACHED", status=409, details=details)


def rfc3339(time: datetime) -> str:
    """Write a time as the service does, with microseconds."""
    return time.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _wrong_time(name: str, problem: str) -> Refusal:
    return Refusal(code="INVALID_REQUEST", status=400, details={"fields": [{"field": name, "problem": problem}]})


def _session_id(*parts: str) -> str:
    digest = int.from_bytes(sha256("\0".join(parts).encode()).digest()[:17], "big")
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(letters[(digest >> (5 * place)) & 31] for place in range(26))
