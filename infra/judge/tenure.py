"""A tenure: one holding of a seat from its start to its end, as far as the history shows.

::

                |   certainly open                      |   perhaps open: an admin may       |   certainly ended
    opens_from  opens_at                            closes_from   have ended it              closes_by
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from infra.judge.history import Event, Stored
from shared.rules.audit import ENDS, AuditType

ALWAYS = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)

NUMBERED = frozenset({AuditType.ACQUIRED, AuditType.BORROWED})
"""The events that take the number of a grant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenure:
    """One tenure. ``starts`` and ``ends`` are its events in the trail: one start, and at most one end.

    - ``borrows``: when its user borrowed the seat, or borrowed it for longer, the first first.
    - ``session``: its document, if the document still shows this tenure.
    - ``is_changed``: an admin changed the session other than by ending it.
    - ``began_before``: it began before the trail that was read, so no start is expected.
    """

    session_id: str
    license_id: str
    user_id: str
    hardware_id: str
    started_at: datetime
    starts: tuple[Event, ...] = ()
    ends: tuple[Event, ...] = ()
    borrows: tuple[Event, ...] = ()
    session: Stored | None = None
    opens_from: datetime
    opens_at: datetime
    closes_from: datetime
    closes_by: datetime
    is_changed: bool = False
    began_before: bool = False

    def is_certainly_open(self, at: datetime) -> bool:
        """Whether it held a seat after all commits until ``at``, whatever admins did."""
        return self.opens_at <= at < self.closes_from

    def is_perhaps_open(self, at: datetime) -> bool:
        """Whether it may have held a seat at that time."""
        return self.opens_from <= at < self.closes_by

    @property
    def live_until(self) -> datetime:
        """The time from which it certainly held no seat: it had ended, or its lease had run out."""
        lease = self.ends[0].details.get("lease_expires_at") if self.ends else None
        if isinstance(lease, datetime) and self.ends[0].type == AuditType.EXPIRED:
            return min(self.closes_by, lease)
        return self.closes_by

    @property
    def pool(self) -> str | None:
        """The group whose reserved seat it held; ``None``: a common one."""
        told = [event.details for event in self.events] or [{} if self.session is None else self.session.fields]
        pool = told[0].get("pool")
        return pool if isinstance(pool, str) else None

    @property
    def borrowed_until(self) -> datetime | None:
        """Until when the seat was lent; ``None`` if the trail does not tell of a borrow."""
        return max(filter(None, map(borrowed_until, self.borrows)), default=None)

    @property
    def scope(self) -> tuple[str, str | None]:
        """Its license and pool."""
        return self.license_id, self.pool

    @property
    def events(self) -> tuple[Event, ...]:
        """Its start and its end in the trail."""
        return (*self.starts, *self.ends)


def moment(event: Event) -> datetime:
    """When the event was committed. If unknown, when it was decided, which is never later."""
    return event.committed_at or event.at


def started_at_of(event: Event) -> datetime | None:
    """The start of the tenure that the event belongs to, or ``None`` if it belongs to none."""
    if event.type == AuditType.ACQUIRED:
        return event.at
    names_start = event.type in {*ENDS, AuditType.RENEWED, AuditType.BORROWED}
    started_at = event.details.get("started_at") if names_start else None
    return started_at if isinstance(started_at, datetime) else None


def borrowed_until(borrow: Event) -> datetime | None:
    """Until when a seat was borrowed; ``None`` if the event does not tell it."""
    until = borrow.details.get("borrowed_until")
    return until if isinstance(until, datetime) else None


def is_open(session: Stored) -> bool:
    """Whether a session document has no end, and so counts."""
    return session.fields.get("ended_at") is None
