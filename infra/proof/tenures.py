"""Tenures: who held which seat from when until when, as far as the history can tell.

::

        |   certainly open                      |   perhaps open: only somebody's    |   certainly ended
    opens_at                                closes_from   hand knows when it ended   closes_by

An end that the functions made has one time, its commit. An end by hand is told later, when somebody noticed; its time
is known where the edit was noted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.proof.history import AdminEdit, Event, History, Stored
from shared.rules.audit import CONSOLE, ENDS, AuditType

ALWAYS = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenure:
    """One tenure. ``starts`` and ``ends`` are what the trail tells of it: one start, and at most one end."""

    session_id: str
    license_id: str
    user_id: str
    hardware_id: str
    started_at: datetime
    starts: tuple[Event, ...]
    ends: tuple[Event, ...]
    opens_at: datetime
    closes_from: datetime
    closes_by: datetime

    def is_certainly_open(self, at: datetime) -> bool:
        """Whether it held a seat after everything that was committed until ``at``, whatever hands did."""
        return self.opens_at <= at < self.closes_from

    def is_perhaps_open(self, at: datetime) -> bool:
        """Whether it may have held a seat then."""
        return self.opens_at <= at < self.closes_by


def moment(event: Event) -> datetime:
    """When the event was committed; where that is not known, when it was decided, which is never later."""
    return event.committed_at or event.at


def tenures_of(history: History) -> tuple[Tenure, ...]:
    """Put the trail together by tenure, with those that the sessions tell of and whose start the trail has no more."""
    told: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for event in history.events:
        if (started_at := started_at_of(event)) is not None and event.session_id is not None:
            told[event.session_id, started_at].append(event)
    sessions: dict[tuple[str, datetime], Stored] = {}
    for session in history.present.sessions if history.present else ():
        if isinstance(started_at := session.fields.get("started_at"), datetime):
            sessions[session.document_id, started_at] = session
    hands = _hands(history.edits or ())
    found = [_tenure(key, events, hands, edits_known=history.edits is not None) for key, events in told.items()]
    found += [_untold(key, stored) for key, stored in sessions.items() if key not in told and is_open(stored)]
    return tuple(sorted(found, key=lambda tenure: (tenure.opens_at, tenure.started_at, tenure.session_id)))


def started_at_of(event: Event) -> datetime | None:
    """The beginning of the tenure that the event tells of, or ``None`` when it tells of none."""
    if event.type == AuditType.ACQUIRED:
        return event.at
    started_at = event.details.get("started_at") if event.type in ENDS else None
    return started_at if isinstance(started_at, datetime) else None


def is_open(session: Stored) -> bool:
    """Whether a session document counts: it has no end."""
    return session.fields.get("ended_at") is None


def _tenure(
    key: tuple[str, datetime],
    events: Sequence[Event],
    hands: Mapping[str, Sequence[AdminEdit]],
    *,
    edits_known: bool,
) -> Tenure:
    session_id, started_at = key
    starts = tuple(event for event in events if event.type == AuditType.ACQUIRED)
    ends = tuple(sorted((event for event in events if event.type in ENDS), key=moment))
    opens_at = min(map(moment, starts), default=ALWAYS)
    closes_by = min(map(moment, ends), default=NEVER)
    closes_from = closes_by
    hand = next((edit for edit in hands.get(session_id, ()) if max(opens_at, started_at) <= edit.at < closes_by), None)
    if hand is not None:
        closes_from = hand.at
        closes_by = closes_by if hand.not_after is not None else hand.at
    elif ends and ends[0].actor == CONSOLE and not edits_known:
        closes_from = opens_at
    told = (starts or ends)[0]
    return Tenure(
        session_id=session_id,
        license_id=told.license_id or "",
        user_id=told.user_id or "",
        hardware_id=told.hardware_id or "",
        started_at=started_at,
        starts=starts,
        ends=ends,
        opens_at=opens_at,
        closes_from=closes_from,
        closes_by=closes_by,
    )


def _untold(key: tuple[str, datetime], session: Stored) -> Tenure:
    session_id, started_at = key
    license_id, user_id, hardware_id = (session.fields.get(name) for name in ("license_id", "user_id", "hardware_id"))
    return Tenure(
        session_id=session_id,
        license_id=str(license_id),
        user_id=str(user_id),
        hardware_id=str(hardware_id),
        started_at=started_at,
        starts=(),
        ends=(),
        opens_at=started_at,
        closes_from=NEVER,
        closes_by=NEVER,
    )


def _hands(edits: Iterable[AdminEdit]) -> Mapping[str, Sequence[AdminEdit]]:
    """The ends that hands made, by session: deleted, or with an end written in."""
    ended: dict[str, list[AdminEdit]] = defaultdict(list)
    for edit in sorted(edits, key=lambda each: each.at):
        if edit.collection == "sessions" and (edit.fields is None or edit.fields.get("ended_at") is not None):
            ended[edit.document_id].append(edit)
    return ended
