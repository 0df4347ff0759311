"""A lease that a client was given holds: its tenure was open, and it was not cut short.

Clients' clocks are compared with each other only, to tell which request was sent after which answer.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.judge.acknowledged_leases import GONE, NOT_FOUND, Lease
from infra.judge.history import Event, History, Operation
from infra.judge.tenure import Tenure
from infra.judge.violation import Kind, Violation
from shared.rules.audit import AuditType


def violations(history: History, leases: Sequence[Lease]) -> Iterator[Violation]:
    """Compare each lease with what the trail tells of its tenure."""
    shortened = _leases_edited(history)
    for lease in leases:
        tenure = lease.tenure
        if tenure is not None and tenure.is_changed:
            continue
        if not lease.is_grant and (tenure is None or not _was_open(tenure, lease.at)):
            yield _violation(Kind.ANSWERED_AFTER_END, history, lease, "was kept, and had ended")
        elif tenure is not None and not shortened and (cut := _cut_by(tenure, lease)) is not None:
            message = f"was given until {lease.expires_at.isoformat()}, and ended as if it were not"
            yield _violation(Kind.ACKNOWLEDGED_LEASE_CUT, history, lease, message, events=(cut,))
    yield from _holders_refused(history, leases)


def _was_open(tenure: Tenure, at: datetime) -> bool:
    # A request that is renewed in the commit that grants has the time of the grant.
    return at < tenure.closes_by and (tenure.opens_from <= at or tenure.started_at == at)


def _cut_by(tenure: Tenure, lease: Lease) -> Event | None:
    """The end that knows of an earlier end of the lease than the client was told, although it came after."""
    for end in tenure.ends:
        known = end.details.get("lease_expires_at")
        if not isinstance(known, datetime) or end.at < lease.at:
            continue
        if known < lease.expires_at or (end.type == AuditType.EXPIRED and end.at < lease.expires_at):
            return end
    return None


def _holders_refused(history: History, leases: Sequence[Lease]) -> Iterator[Violation]:
    """Find those who were told that it is over, between two answers that gave them leases of one tenure."""
    of_session: dict[str, list[Lease]] = defaultdict(list)
    for lease in leases:
        of_session[lease.session_id].append(lease)
    for request in history.requests or ():
        if request.operation is not Operation.HEARTBEAT or request.status not in {NOT_FOUND, GONE}:
            continue
        around = of_session.get(request.session_id or "", ())
        before = {each.began_at for each in around if each.answered_at <= request.sent_at} - {None}
        answered_at = request.answered_at or request.sent_at
        after = [each for each in around if each.request.sent_at >= answered_at and each.began_at in before]
        if after and after[0].tenure is not None and not after[0].tenure.is_changed:
            yield _violation(Kind.HOLDER_REFUSED, history, after[0], "was said to have ended, and had not")


def _leases_edited(history: History) -> bool:
    """Whether somebody changed how long leases are: a shorter one may then follow on a longer one."""
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
