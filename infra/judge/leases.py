"""A client could rely on its lease: the tenure was open, and the lease was not cut short.

Client times are compared only with each other, to know which request was sent after which answer.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.judge.acknowledged_leases import GONE, NOT_FOUND, OK, Lease, code_of
from infra.judge.history import Acknowledged, Event, History, Operation
from infra.judge.tenure import Tenure, borrowed_until, moment
from infra.judge.violation import Kind, Violation
from shared.edge.errors import Code
from shared.rules.audit import AuditType
from shared.rules.session import EndReason


def violations(history: History, leases: Sequence[Lease]) -> Iterator[Violation]:
    """Compare each lease with its tenure in the trail."""
    shortened = _leases_edited(history)
    released: dict[str | None, list[Acknowledged]] = defaultdict(list)
    for request in history.requests or ():
        if request.operation is Operation.RELEASE or _may_leave_idle(request):
            released[request.session_id].append(request)
    for lease in leases:
        tenure = lease.tenure
        if tenure is not None and tenure.is_changed:
            continue
        if not lease.is_grant and (tenure is None or not _was_open(tenure, lease.at)):
            yield _violation(
                Kind.ANSWERED_AFTER_END, history, lease, "was answered with a lease, but had already ended"
            )
        elif tenure is not None and (until := _borrowed_until(tenure, lease)) is not None and lease.expires_at < until:
            message = f"got a lease until {lease.expires_at.isoformat()}, but had borrowed until {until.isoformat()}"
            yield _violation(Kind.BORROW_CUT_SHORT, history, lease, message, events=tenure.borrows)
        elif tenure is not None and not shortened and (cut := _cut_by(tenure, lease)) is not None:
            message = f"got a lease until {lease.expires_at.isoformat()}, but ended by an earlier lease"
            yield _violation(Kind.ACKNOWLEDGED_LEASE_CUT, history, lease, message, events=(cut,))
        elif tenure is not None and not shortened and _is_cut_off(lease, tenure, released[lease.session_id]):
            message = f"got a lease until {lease.expires_at.isoformat()}, but another instance gave the seat back"
            yield _violation(Kind.INSTANCE_CUT_OFF, history, lease, message, events=tenure.ends)
    yield from _holders_refused(history, leases)


def _was_open(tenure: Tenure, at: datetime) -> bool:
    # A renewal in the same commit as the grant has the time of the grant.
    return at < tenure.closes_by and (tenure.opens_from <= at or tenure.started_at == at)


def _cut_by(tenure: Tenure, lease: Lease) -> Event | None:
    """The tenure's end, if it came after this lease but names an earlier end of the lease."""
    for end in tenure.ends:
        known = end.details.get("lease_expires_at")
        if not isinstance(known, datetime) or end.at < lease.at:
            continue
        if known < lease.expires_at or (end.type == AuditType.EXPIRED and end.at < lease.expires_at):
            return end
    return None


def _borrowed_until(tenure: Tenure, lease: Lease) -> datetime | None:
    """Until when the seat was borrowed, by the borrows that the lease's decision knew of."""
    known = (borrowed_until(each) for each in tenure.borrows if moment(each) <= lease.at)
    return max(filter(None, known), default=None)


def _may_leave_idle(request: Acknowledged) -> bool:
    """Whether an instance may have left its seat because its user was idle."""
    return request.operation is Operation.HEARTBEAT and request.idle_seconds is not None and request.status != OK


def _is_cut_off(lease: Lease, tenure: Tenure, releases: Sequence[Acknowledged]) -> bool:
    """Whether a release by another instance ended the tenure within this instance's lease.

    A release by this instance, or by none, may have ended it if it was not answered before the lease was asked for.
    """
    own = lease.request.instance_id
    is_given_back = any(
        end.details.get("reason") == EndReason.RELEASED and lease.at <= end.at < lease.expires_at for end in tenure.ends
    )
    return (
        own is not None
        and is_given_back
        and not any(
            each.instance_id in {own, None} and (each.answered_at is None or each.answered_at >= lease.request.sent_at)
            for each in releases
        )
    )


def _holders_refused(history: History, leases: Sequence[Lease]) -> Iterator[Violation]:
    """Find clients that got an "ended" answer between two answers with leases of the same tenure."""
    of_session: dict[str, list[Lease]] = defaultdict(list)
    for lease in leases:
        of_session[lease.session_id].append(lease)
    for request in history.requests or ():
        if request.operation is not Operation.HEARTBEAT or request.status not in {NOT_FOUND, GONE}:
            continue
        if code_of(request) == Code.SESSION_IDLE:
            continue  # this instance has left the seat, and another one may work on it
        around = of_session.get(request.session_id or "", ())
        before = {each.began_at for each in around if each.answered_at <= request.sent_at} - {None}
        answered_at = request.answered_at or request.sent_at
        after = [each for each in around if each.request.sent_at >= answered_at and each.began_at in before]
        if after and after[0].tenure is not None and not after[0].tenure.is_changed:
            yield _violation(Kind.HOLDER_REFUSED, history, after[0], "was reported as ended, but had not ended")


def _leases_edited(history: History) -> bool:
    """Whether an admin changed the length of leases. Then a shorter lease may follow a longer one."""
    made: set[str] = set()
    for edit in history.edits or ():
        if edit.collection == "licenses" and edit.fields is not None:
            if edit.document_id in made and "lease_seconds" in edit.fields:
                return True
            made.add(edit.document_id)
    return history.edits is None


def _violation(
    kind: Kind, history: History, lease: Lease, message: str, *, events: tuple[Event, ...] = ()
) -> Violation:
    told = events or (() if lease.tenure is None else lease.tenure.events)
    return Violation(
        kind=kind,
        organization_id=history.organization_id,
        at=lease.at,
        message=f"{lease.session_id} of {lease.request.user_id} at {lease.at.isoformat()} {message}",
        events=told,
    )
