"""Every tenure has exactly one start and at most one end; the tenures of one session follow each other."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from infra.judge.history import Event, History
from infra.judge.tenure import NEVER, Tenure, moment
from infra.judge.violation import Kind, Violation
from shared.rules.audit import CONSOLE, SYSTEM, AuditType
from shared.rules.session import EndReason

_TYPES = {
    EndReason.RELEASED.value: AuditType.RELEASED,
    EndReason.RELEASED_ELSEWHERE.value: AuditType.RELEASED,
    EndReason.EXPIRED.value: AuditType.EXPIRED,
}


def violations(history: History, tenures: Sequence[Tenure]) -> Iterator[Violation]:
    """Check each tenure by itself, and the tenures of one session together."""
    noted = history.edits is not None
    of_session: dict[str, list[Tenure]] = defaultdict(list)
    for tenure in tenures:
        of_session[tenure.session_id].append(tenure)
        for found in _of(tenure, history.organization_id):
            # A session that an admin reopened or created ends like any other, and its end is audited.
            if not tenure.is_changed:
                yield replace(found, is_certain=noted or found.kind is Kind.START_TWICE)
    for several in of_session.values():
        for before, after in pairwise(several):
            if before.is_changed or not before.starts or not after.starts:
                continue
            told_late = before.ends and before.ends[0].actor == CONSOLE and not noted
            if before.ends and not told_late and before.closes_from > after.opens_at:
                yield _violation(
                    Kind.TENURES_OVERLAP,
                    after,
                    history.organization_id,
                    f"it began before the tenure since {before.started_at.isoformat()} had ended",
                    (*before.events, *after.starts),
                )
            elif not before.ends and (history.is_settled or not noted or before.closes_from == NEVER):
                missing = _violation(
                    Kind.END_MISSING,
                    before,
                    history.organization_id,
                    f"the trail has no end, but the next tenure began at {after.started_at.isoformat()}",
                    (*before.starts, *after.starts),
                )
                # The end of a deleted session is audited later, by a function that Firestore calls.
                yield replace(missing, is_certain=noted or history.is_settled)


def _of(tenure: Tenure, organization_id: str) -> Iterator[Violation]:
    if len(tenure.starts) > 1:
        yield _violation(
            Kind.START_TWICE, tenure, organization_id, f"the trail has {len(tenure.starts)} starts", tenure.starts
        )
    if tenure.ends and not tenure.starts and not tenure.began_before:
        yield _violation(Kind.START_MISSING, tenure, organization_id, "the trail has an end, but no start", tenure.ends)
    if len(tenure.ends) > 1:
        yield _violation(Kind.END_TWICE, tenure, organization_id, f"the trail has {len(tenure.ends)} ends", tenure.ends)
    for end in tenure.ends:
        if problem := _misfit(end, tenure):
            yield _violation(Kind.END_MISTOLD, tenure, organization_id, problem, (*tenure.starts, end))
        lease = end.details.get("lease_expires_at")
        if end.type == AuditType.EXPIRED and lease is not None and lease > end.at:
            message = f"it expired at {end.at.isoformat()}, but its lease ran until {lease.isoformat()}"
            yield _violation(Kind.EXPIRED_EARLY, tenure, organization_id, message, (*tenure.starts, end))


def _misfit(end: Event, tenure: Tenure) -> str | None:
    """How an end contradicts its start or itself; ``None`` if it does not."""
    reason = str(end.details.get("reason"))
    problems = {
        f"the end is {end.type} with the reason {reason}": end.type != _TYPES.get(reason, AuditType.REVOKED),
        f"the end is a release by {end.actor}": end.type == AuditType.RELEASED and end.actor != tenure.user_id,
        f"the end is an expiry by {end.actor}": end.type == AuditType.EXPIRED and end.actor != SYSTEM,
    }
    if (tenure.starts or tenure.borrows) and end.details.get("lease_expires_at") is not None:
        # The report of a deleted session knows no times.
        told, until = end.details.get("overhang_until"), tenure.borrowed_until
        is_away = until is not None and end.at < until and reason != EndReason.RELEASED
        problems[f"the end tells an overhang until {told}, but it was borrowed until {until}"] = told != (
            until if is_away else None
        )
    for start in tenure.starts[:1]:
        held = (start.license_id, start.user_id, start.hardware_id)
        problems[f"the end is of {end.license_id}, {end.user_id}, {end.hardware_id}"] = held != (
            end.license_id,
            end.user_id,
            end.hardware_id,
        )
        pool = end.details.get("pool")
        problems[f"the end is of a seat of the pool {pool}"] = pool != start.details.get("pool")
        # An admin may write any time as a session's end, but the event still comes after the start.
        is_early = moment(end) < moment(start) or (end.actor != CONSOLE and end.at < start.at)
        problems["the end is before the start"] = is_early
    return next((problem for problem, is_so in problems.items() if is_so), None)


def _violation(kind: Kind, tenure: Tenure, organization_id: str, message: str, events: Sequence[Event]) -> Violation:
    return Violation(
        kind=kind,
        organization_id=organization_id,
        at=tenure.started_at,
        message=f"the tenure of {tenure.session_id} since {tenure.started_at.isoformat()}: {message}",
        events=tuple(events),
    )
