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


@dataclass(kw_only=True)
class Session:
    session_id: str
    user: str
    hardware_id: str
    started_at: datetime
    decided_at: datetime
    lease_expires_at: datetime
    end_reason: str | None = None
    heard_at: dict[str | None, datetime] = field(default_factory=dict)
    """When each instance was last heard of. A program that names none is one instance, ``None``."""

    def extend(self, *, now: datetime, lease: timedelta) -> None:
        self.decided_at, self.lease_expires_at = now, now + lease


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

    def acquire(  # noqa: PLR0911 a line for each refusal
        self, *, user: str, license_key: str, hardware_id: str, instance_id: str | None
    ) -> tuple[Session, bool] | Refusal:
        """Take a seat, or renew the one that is held: then the second value is true."""
        with self._one_at_a_time:
            if self.refusal is not None:
                return self.refusal
            if normal_key(license_key) != normal_key(self.license_key):
                return Refusal(code="LICENSE_NOT_FOUND", status=404)
            if self._is_expired():
                return Refusal(code="LICENSE_EXPIRED", status=403)
            session_id = _session_id(normal_key(license_key), user, hardware_id)
            session = self._sessions.get(session_id)
            if session is not None and self._is_live(session):
                refusal = self._extend(session, instance_id)
                return (session, True) if refusal is None else refusal
            if (refusal := self._refuse_grant(user)) is not None:
                return refusal
            live = self._live()
            if len(live) >= self.seats:
                return self._full(live)
            return self._open(session_id, user, hardware_id, instance_id), False

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
            refusal = self._extend(session, instance_id)
            return session if refusal is None else refusal

    def release(self, *, user: str, session_id: str, instance_id: str | None) -> Refusal | None:
        with self._one_at_a_time:
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
        """Give a grace only to a session that has lasted one lease."""
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

    def _extend(self, session: Session, instance_id: str | None) -> Refusal | None:
        """Start the lease anew, unless this would be one instance too many."""
        at_work = self._at_work(session)
        named = [at for name, at in at_work.items() if name is not None]
        is_new = instance_id is not None and instance_id not in at_work
        if is_new and self.max_instances is not None and len(named) >= self.max_instances:
            earliest = min(named) + self._remembered_for
            details: dict[str, object] = {
                "session_id": session.session_id,
                "instances": len(named),
                "max": self.max_instances,
                "earliest_expiry_at": rfc3339(earliest),
                "retry_after_seconds": self._seconds_until(earliest),
            }
            return Refusal(code="INSTANCE_LIMIT_REACHED", status=409, details=details)
        session.heard_at = {**at_work, instance_id: self.now}
        session.extend(now=self.now, lease=self.lease)
        return None

    def _at_work(self, session: Session) -> dict[str | None, datetime]:
        return {name: at for name, at in session.heard_at.items() if self.now < at + self._remembered_for}

    @property
    def _remembered_for(self) -> timedelta:
        return self.lease + self.lease / 12

    def _seconds_until(self, time: datetime) -> int:
        return min(60, max(1, math.ceil((time - self.now).total_seconds())))

    def _open(self, session_id: str, user: str, hardware_id: str, instance_id: str | None) -> Session:
        now = self.now
        session = Session(
            session_id=session_id,
            user=user,
            hardware_id=hardware_id,
            started_at=now,
            decided_at=now,
            lease_expires_at=now + self.lease,
            heard_at={instance_id: now},
        )
        self._sessions[session_id] = session
        return session

    def _is_live(self, session: Session) -> bool:
        return session.end_reason is None and self.now < session.lease_expires_at

    def _live(self) -> list[Session]:
        return [session for session in self._sessions.values() if self._is_live(session)]

    def _full(self, live: list[Session]) -> Refusal:
        earliest = min((session.lease_expires_at for session in live), default=None)
        seconds = 60 if earliest is None else self._seconds_until(earliest)
        details: dict[str, object] = {
            "in_use": len(live),
            "max": self.seats,
            "reserved_for_others": 0,
            "earliest_expiry_at": None if earliest is None else rfc3339(earliest),
            "retry_after_seconds": seconds,
        }
        return Refusal(code="SEAT_LIMIT_REACHED", status=409, details=details)


def rfc3339(time: datetime) -> str:
    """Write a time as the service does, with microseconds."""
    return time.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _session_id(*parts: str) -> str:
    digest = int.from_bytes(sha256("\0".join(parts).encode()).digest()[:17], "big")
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(letters[(digest >> (5 * place)) & 31] for place in range(26))
