"""One fault for each kind of violation that the trail and the documents show."""

from dataclasses import replace

from infra.judge.history import AdminEdit, History, Stored
from shared.rules.audit import AuditType, grant_name
from shared.rules.digest import digest
from tests.infra.judge.mutations import (
    TICK,
    changed,
    committed,
    ends,
    named,
    only,
    starts,
    trail,
    with_details,
    with_events,
    with_sessions,
    without,
)
from tests.infra.judge.recorded_clients import SECOND
from tests.support.tenant import LICENSE_ID


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
    return with_events(trail(h), start, named(end, h, name))


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
    again = named(replace(last, grant_number=number), h, grant_name(number, epoch=last.epoch))
    return with_sessions(with_events(trail(h), again), lambda sessions: sessions, grants=1)


def start_missing(h: History) -> History:
    end = ends(h, "m4", SECOND)[0]
    name = digest("session.ended", "never", end.details["started_at"].isoformat(), end.at.isoformat())
    return with_events(trail(h), named(replace(end, session_id="never"), h, name))


def end_twice(h: History) -> History:
    end = ends(h, "m4", SECOND)[0]
    at = end.at + TICK
    name = digest("session.ended", str(end.session_id), end.details["started_at"].isoformat(), at.isoformat())
    return with_events(trail(h), named(replace(end, at=at), h, name))


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
    after = [{"license_id": LICENSE_ID, "in_use": 2, "pools": []}]
    return with_details(trail(h), only(h, AuditType.USAGE_REPAIRED), after=after)
