"""Every grant, borrow, denial and release that a client got an answer for is in the trail."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.judge.acknowledged_leases import NO_CONTENT, Lease, is_denial
from infra.judge.history import Acknowledged, History, Operation
from infra.judge.tenure import ALWAYS, NEVER, borrowed_until
from infra.judge.violation import Kind, Violation
from shared.rules.audit import AuditType
from shared.rules.denial import minute_of


def violations(history: History, leases: Sequence[Lease]) -> Iterator[Violation]:
    """Find answers without their event, and grants without a request."""
    if history.requests is None:
        return
    yield from _grants(history, leases)
    yield from _borrows(history, leases)
    yield from _denials(history, history.requests)
    yield from _releases(history, history.requests, leases)


def _grants(history: History, leases: Sequence[Lease]) -> Iterator[Violation]:
    for lease in leases:
        if lease.is_grant and not (lease.tenure and lease.tenure.starts and lease.tenure.started_at == lease.at):
            message = f"{lease.request.user_id} was granted {lease.session_id}, but the trail has no such grant"
            yield _violation(Kind.ACKNOWLEDGED_GRANT_LOST, history, message, at=lease.at)
    asked = {
        (request.user_id, request.hardware_id)
        for request in history.requests or ()
        if request.operation is Operation.ACQUIRE
    }
    for event in history.events:
        if event.type == AuditType.ACQUIRED and (event.user_id, event.hardware_id) not in asked:
            yield Violation(
                kind=Kind.GRANT_UNASKED,
                organization_id=history.organization_id,
                at=event.at,
                message=f"{event.user_id} on {event.hardware_id} was granted a seat without asking",
                events=(event,),
            )


def _borrows(history: History, leases: Sequence[Lease]) -> Iterator[Violation]:
    for lease in leases:
        told, tenure = lease.request.body.get("borrowed_until"), lease.tenure
        if not isinstance(told, str) or tenure is None or not tenure.starts or tenure.is_changed:
            continue
        if datetime.fromisoformat(told) not in map(borrowed_until, tenure.borrows):
            message = (
                f"{lease.request.user_id} borrowed {lease.session_id} until {told}, but the trail has no such borrow"
            )
            yield _violation(Kind.ACKNOWLEDGED_BORROW_LOST, history, message, at=lease.at)


def _denials(history: History, requests: Sequence[Acknowledged]) -> Iterator[Violation]:
    """Compare the attempts of each user and minute. Denials may count more: an answer may have been lost."""
    refused = Counter(
        (request.user_id, minute_of(at))
        for request in requests
        if is_denial(request)
        if (at := datetime.fromisoformat(request.body["server_time"])) and minute_of(at) > (history.begins_at or ALWAYS)
    )
    told: Counter[tuple[str | None, datetime]] = Counter()
    for event in history.events:
        if event.type == AuditType.DENIED:
            told[event.user_id, event.at] += int(event.details.get("attempts", 1))
    for (user_id, minute), times in refused.items():
        if told[user_id, minute] < times:
            message = f"{user_id} was denied {times} times, but the trail has {told[user_id, minute]} of that minute"
            yield _violation(Kind.ACKNOWLEDGED_DENIAL_LOST, history, message, at=minute)


def _releases(history: History, requests: Sequence[Acknowledged], leases: Sequence[Lease]) -> Iterator[Violation]:
    """A tenure that a client released must end before any later request is decided."""
    of_session: dict[str, list[Lease]] = defaultdict(list)
    for lease in leases:
        of_session[lease.session_id].append(lease)
    sent = sorted((lease.request.sent_at, lease.at) for lease in leases)
    earliest_after: list[tuple[datetime, datetime]] = []
    earliest = NEVER if history.present is None else history.present.read_at
    for sent_at, at in reversed(sent):
        earliest = min(earliest, at)
        earliest_after.append((sent_at, earliest))
    earliest_after.reverse()
    for release in _ending(requests):
        known = [each for each in of_session.get(release.session_id or "", ()) if each.answered_at <= release.sent_at]
        tenure = known[-1].tenure if known else None
        if tenure is None or tenure.is_changed:
            continue
        answered_at = release.answered_at or release.sent_at
        ended_by = next((at for sent_at, at in earliest_after if sent_at >= answered_at), None)
        if ended_by is None:
            ended_by = NEVER if history.present is None else history.present.read_at
        if tenure.closes_from > ended_by or tenure.closes_from == NEVER:
            message = f"{release.user_id} released {release.session_id}, but it was still open later"
            yield _violation(Kind.ACKNOWLEDGED_RELEASE_LOST, history, message, at=tenure.started_at)


def _ending(requests: Sequence[Acknowledged]) -> Iterator[Acknowledged]:
    """The answered releases that end a session. One of several instances on a device only leaves it."""
    instances: dict[tuple[str, str | None], set[str | None]] = defaultdict(set)
    for request in requests:
        if request.operation is Operation.ACQUIRE:
            instances[request.user_id, request.hardware_id].add(request.instance_id)
    for request in requests:
        is_alone = request.instance_id is None or len(instances[request.user_id, request.hardware_id]) == 1
        is_answered = request.status == NO_CONTENT and request.answered_at is not None
        if request.operation is Operation.RELEASE and is_answered and is_alone:
            yield request


def _violation(kind: Kind, history: History, message: str, *, at: datetime | None = None) -> Violation:
    return Violation(kind=kind, organization_id=history.organization_id, at=at, message=message)
