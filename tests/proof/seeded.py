"""Faults sown into a true history: one for each kind of violation, as small as one can be."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from infra.proof.history import AdminEdit, Event, History, Message, Operation, Stored
from infra.proof.violation import Kind
from shared.rules.audit import ENDS, AuditType, grant_name
from shared.rules.digest import digest
from shared.rules.seat_use import SeatUse
from shared.store.paths import OrganizationPaths
from tests.proof.story import SECOND
from tests.support.tenant import LICENSE_ID

TICK = timedelta(microseconds=1)


def trail(history: History) -> History:
    """Only the trail and the documents: what was published or answered would show the same fault once more."""
    return replace(history, messages=None, requests=None)


def starts(history: History, user_id: str, license_id: str = LICENSE_ID) -> list[Event]:
    """The grants to a user, the first first."""
    return _of(history, user_id, license_id, {AuditType.ACQUIRED})


def ends(history: History, user_id: str, license_id: str = LICENSE_ID) -> list[Event]:
    """The ends of a user's tenures."""
    return _of(history, user_id, license_id, set(ENDS))


def only(history: History, kind: AuditType) -> Event:
    """The one event of this type."""
    (event,) = (event for event in history.events if event.type == kind)
    return event


def changed(history: History, event: Event, **fields: Any) -> History:  # noqa: ANN401 the fields of an event
    """Change one event."""
    events = tuple(replace(each, **fields) if each.event_id == event.event_id else each for each in history.events)
    return replace(history, events=events)


def with_details(history: History, event: Event, **details: Any) -> History:  # noqa: ANN401 what an event tells
    """Change what one event tells."""
    return changed(history, event, details={**event.details, **details})


def with_events(history: History, *events: Event) -> History:
    """Add events."""
    return replace(history, events=(*history.events, *events))


def without(history: History, *events: Event) -> History:
    """Leave events out."""
    gone = {event.event_id for event in events}
    return replace(history, events=tuple(event for event in history.events if event.event_id not in gone))


def committed(event: Event) -> datetime:
    """When an event was committed."""
    assert event.committed_at is not None
    return event.committed_at


def with_sessions(history: History, change: Callable[[list[Stored]], list[Stored]], *, grants: int = 0) -> History:
    """Change the sessions as they are, and the counters with them, so that these two agree; add grants to those."""
    assert history.present is not None
    assert history.present.seats is not None
    sessions = change(list(history.present.sessions))
    held = Counter(each.fields["license_id"] for each in sessions if each.fields["ended_at"] is None)
    before = history.present.seats.fields
    use = SeatUse(by_license=held, grants=before["grants"] + grants)
    fields = {**before, "total": use.total, "by_license": dict(held), "grants": use.grants, "seal": use.seal}
    seats = replace(history.present.seats, fields=fields)
    return replace(history, present=replace(history.present, sessions=tuple(sessions), seats=seats))


def _of(history: History, user_id: str, license_id: str, kinds: set[AuditType]) -> list[Event]:
    found = [
        event
        for event in history.events
        if event.type in kinds and event.user_id == user_id and event.license_id == license_id
    ]
    return sorted(found, key=committed)


def _named(event: Event, history: History, name: str) -> Event:
    path = OrganizationPaths(history.organization_id).audit_event(name)
    return replace(event, event_id=path.rpartition("/")[2])


def license_cap_exceeded(h: History) -> History:
    return changed(trail(h), ends(h, "m0")[0], committed_at=committed(starts(h, "m2")[0]) + TICK)


def organization_cap_exceeded(h: History) -> History:
    return changed(trail(h), ends(h, "m3", SECOND)[0], committed_at=committed(starts(h, "m4", SECOND)[0]) + TICK)


def cap_not_in_force(h: History) -> History:
    edit = AdminEdit(
        collection="licenses",
        document_id=LICENSE_ID,
        at=starts(h, "m4")[0].at,
        fields={"max_concurrent_seats": 4},
    )
    return replace(h, edits=(*(h.edits or ()), edit))


def grant_missing(h: History) -> History:
    return without(trail(h), *starts(h, "m3", SECOND), *ends(h, "m3", SECOND))


def grant_twice(h: History) -> History:
    first, again = starts(h, "m0")[0], starts(h, "m3", SECOND)[0]
    start = replace(
        again, event_id="again", session_id="again", at=first.at, committed_at=first.committed_at, details=first.details
    )
    end = replace(ends(h, "m3", SECOND)[0], session_id="again", at=first.at, committed_at=committed(first) + TICK)
    end = replace(end, details={**end.details, "started_at": first.at})
    name = digest("session.ended", "again", first.at.isoformat(), first.at.isoformat())
    return with_events(trail(h), start, _named(end, h, name))


def grant_out_of_order(h: History) -> History:
    return changed(trail(h), starts(h, "m0")[0], committed_at=starts(h, "m1", SECOND)[0].at + TICK)


def event_twice(h: History) -> History:
    return with_events(trail(h), only(h, AuditType.DENIED))


def event_misnamed(h: History) -> History:
    return changed(trail(h), only(h, AuditType.DENIED), event_id="something-else")


def event_unreadable(h: History) -> History:
    denial = only(h, AuditType.DENIED)
    return changed(trail(h), denial, details={k: v for k, v in denial.details.items() if k != "user_email"})


def start_twice(h: History) -> History:
    last = starts(h, "m4", SECOND)[-1]
    number = (last.grant_number or 0) + 1
    again = _named(replace(last, grant_number=number), h, grant_name(number))
    return with_sessions(with_events(trail(h), again), lambda sessions: sessions, grants=1)


def start_missing(h: History) -> History:
    end = ends(h, "m4", SECOND)[0]
    name = digest("session.ended", "never", end.details["started_at"].isoformat(), end.at.isoformat())
    return with_events(trail(h), _named(replace(end, session_id="never"), h, name))


def end_twice(h: History) -> History:
    end = ends(h, "m4", SECOND)[0]
    at = end.at + TICK
    name = digest("session.ended", str(end.session_id), end.details["started_at"].isoformat(), at.isoformat())
    return with_events(trail(h), _named(replace(end, at=at), h, name))


def end_missing(h: History) -> History:
    return without(trail(h), ends(h, "m4", SECOND)[-1])


def end_mistold(h: History) -> History:
    return changed(trail(h), ends(h, "m4", SECOND)[0], actor="m0")


def tenures_overlap(h: History) -> History:
    return changed(trail(h), ends(h, "m1", SECOND)[0], committed_at=committed(starts(h, "m1", SECOND)[1]) + TICK)


def expired_early(h: History) -> History:
    expired = only(h, AuditType.EXPIRED)
    return with_details(trail(h), expired, lease_expires_at=expired.at + TICK)


def refused_while_free(h: History) -> History:
    before = starts(h, "m1")[0].at - TICK
    return with_details(trail(h), only(h, AuditType.DENIED), last_attempt_at=before)


def session_untold(h: History) -> History:
    def with_one_more(sessions: list[Stored]) -> list[Stored]:
        like = next(each for each in sessions if each.fields["ended_at"] is None)
        return [*sessions, replace(like, document_id="made-by-nobody")]

    return with_sessions(h, with_one_more)


def session_open_after_end(h: History) -> History:
    ended = ends(h, "m4", SECOND)[0].session_id

    def reopened(sessions: list[Stored]) -> list[Stored]:
        return [
            replace(each, fields={**each.fields, "ended_at": None}) if each.document_id == ended else each
            for each in sessions
        ]

    return with_sessions(h, reopened)


def session_missing(h: History) -> History:
    held = starts(h, "m2")[0].session_id
    return with_sessions(h, lambda sessions: [each for each in sessions if each.document_id != held])


def counters_disagree(h: History) -> History:
    assert h.present is not None
    assert h.present.seats is not None
    fields = {**h.present.seats.fields, "total": h.present.seats.fields["total"] - 1}
    return replace(h, present=replace(h.present, seats=replace(h.present.seats, fields=fields)))


def counters_drifted(h: History) -> History:
    return replace(h, edits=tuple(edit for edit in h.edits or () if edit.collection != "sessions"))


def repair_mistold(h: History) -> History:
    after = [{"license_id": LICENSE_ID, "in_use": 2}]
    return with_details(trail(h), only(h, AuditType.USAGE_REPAIRED), after=after)


def _answered(
    h: History,
    operation: Operation,
    of: str,
    *,
    number: int = 0,
    again: bool = False,
    **fields: Any,  # noqa: ANN401 the fields of a request
) -> History:
    """Change one answer, or add it once more, changed."""
    requests = list(h.requests or ())
    found = [at for at, each in enumerate(requests) if (each.operation, each.user_id) == (operation, of)]
    request = replace(requests[found[number]], **fields)
    if again:
        requests.append(request)
    else:
        requests[found[number]] = request
    return replace(h, requests=tuple(requests))


def _body(h: History, operation: Operation, user_id: str, *, number: int = 0) -> dict[str, Any]:
    found = [each for each in h.requests or () if (each.operation, each.user_id) == (operation, user_id)]
    return dict(found[number].body)


def _later(text: str, *, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).isoformat()


def acknowledged_grant_lost(h: History) -> History:
    body = _body(h, Operation.ACQUIRE, "m2", number=-1)
    body["server_time"] = _later(body["server_time"], by=TICK)
    return _answered(h, Operation.ACQUIRE, "m2", number=-1, body=body)


def acknowledged_denial_lost(h: History) -> History:
    return _answered(h, Operation.ACQUIRE, "m2", again=True)


def acknowledged_release_lost(h: History) -> History:
    held = starts(h, "m2")[0].session_id
    last = max(each.answered_at for each in h.requests or () if each.answered_at is not None)
    return _answered(h, Operation.RELEASE, "m0", again=True, session_id=held, sent_at=last, answered_at=last + TICK)


def acknowledged_lease_cut(h: History) -> History:
    body = _body(h, Operation.ACQUIRE, "m1")
    body["lease_expires_at"] = _later(body["lease_expires_at"], by=TICK)
    return _answered(h, Operation.ACQUIRE, "m1", body=body)


def acknowledged_above_cap(h: History) -> History:
    body = _body(h, Operation.ACQUIRE, "m0", number=-1)
    return _answered(h, Operation.ACQUIRE, "m0", number=-1, body={**body, "seats": {"in_use": 1, "max": 1}})


def answered_after_end(h: History) -> History:
    held = ends(h, "m1")[0]
    body = {**_body(h, Operation.HEARTBEAT, "m0"), "server_time": (committed(held) + TICK).isoformat()}
    return _answered(h, Operation.HEARTBEAT, "m0", again=True, user_id="m1", session_id=held.session_id, body=body)


def holder_refused(h: History) -> History:
    first = next(each for each in h.requests or () if each.session_id == starts(h, "m2")[0].session_id)
    assert first.answered_at is not None
    at = first.answered_at
    return _answered(h, Operation.HEARTBEAT, "m2", again=True, status=410, body={}, sent_at=at, answered_at=at)


def grant_unasked(h: History) -> History:
    asked = tuple(each for each in h.requests or () if (each.operation, each.user_id) != (Operation.ACQUIRE, "m3"))
    return replace(h, requests=asked)


def unpublished(h: History) -> History:
    return replace(h, messages=(h.messages or ())[1:])


def published_uncommitted(h: History) -> History:
    first = (h.messages or ())[0]
    return replace(h, messages=(*(h.messages or ()), Message(data={**first.data, "event_id": "nobody-committed-it"})))


def published_differently(h: History) -> History:
    first, *others = h.messages or ()
    return replace(h, messages=(Message(data={**first.data, "actor": "somebody"}), *others))


SEEDED: dict[Kind, Callable[[History], History]] = {
    Kind.LICENSE_CAP_EXCEEDED: license_cap_exceeded,
    Kind.ORGANIZATION_CAP_EXCEEDED: organization_cap_exceeded,
    Kind.CAP_NOT_IN_FORCE: cap_not_in_force,
    Kind.GRANT_MISSING: grant_missing,
    Kind.GRANT_TWICE: grant_twice,
    Kind.GRANT_OUT_OF_ORDER: grant_out_of_order,
    Kind.EVENT_TWICE: event_twice,
    Kind.EVENT_MISNAMED: event_misnamed,
    Kind.EVENT_UNREADABLE: event_unreadable,
    Kind.START_TWICE: start_twice,
    Kind.START_MISSING: start_missing,
    Kind.END_TWICE: end_twice,
    Kind.END_MISSING: end_missing,
    Kind.END_MISTOLD: end_mistold,
    Kind.TENURES_OVERLAP: tenures_overlap,
    Kind.EXPIRED_EARLY: expired_early,
    Kind.REFUSED_WHILE_FREE: refused_while_free,
    Kind.SESSION_UNTOLD: session_untold,
    Kind.SESSION_OPEN_AFTER_END: session_open_after_end,
    Kind.SESSION_MISSING: session_missing,
    Kind.COUNTERS_DISAGREE: counters_disagree,
    Kind.COUNTERS_DRIFTED: counters_drifted,
    Kind.REPAIR_MISTOLD: repair_mistold,
    Kind.ACKNOWLEDGED_GRANT_LOST: acknowledged_grant_lost,
    Kind.ACKNOWLEDGED_DENIAL_LOST: acknowledged_denial_lost,
    Kind.ACKNOWLEDGED_RELEASE_LOST: acknowledged_release_lost,
    Kind.ACKNOWLEDGED_LEASE_CUT: acknowledged_lease_cut,
    Kind.ACKNOWLEDGED_ABOVE_CAP: acknowledged_above_cap,
    Kind.ANSWERED_AFTER_END: answered_after_end,
    Kind.HOLDER_REFUSED: holder_refused,
    Kind.GRANT_UNASKED: grant_unasked,
    Kind.UNPUBLISHED: unpublished,
    Kind.PUBLISHED_UNCOMMITTED: published_uncommitted,
    Kind.PUBLISHED_DIFFERENTLY: published_differently,
}
