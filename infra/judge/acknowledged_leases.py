"""The leases that clients were given, by the database's clock, and the tenure of each."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.judge.history import Acknowledged, History, Operation
from infra.judge.tenure import Tenure
from shared.edge.errors import Code

OK, CREATED, ACCEPTED, NO_CONTENT = 200, 201, 202, 204
NOT_FOUND, CONFLICT, GONE = 404, 409, 410

_NO_DENIALS = {Code.INSTANCE_LIMIT_REACHED, Code.USER_DEVICE_LIMIT_REACHED, Code.BORROWED_SEATS_LIMIT_REACHED}


def code_of(request: Acknowledged) -> str | None:
    """The code of a refusal; ``None`` if it has none."""
    code = request.body.get("error", {}).get("code")
    return code if isinstance(code, str) else None


def is_denial(request: Acknowledged) -> bool:
    """Whether a client was refused for want of a seat. One instance, device or borrow too many is another refusal."""
    is_refused = request.operation is Operation.ACQUIRE and request.status == CONFLICT
    return is_refused and code_of(request) not in _NO_DENIALS


def is_place(request: Acknowledged) -> bool:
    """Whether a client was told of its place in the line."""
    return request.operation is Operation.ACQUIRE and request.status == ACCEPTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """One answer with a lease: decided ``at``, valid until ``expires_at`` unless the tenure ends before.

    ``tenure`` is the session's latest tenure at that time, according to the trail.
    """

    session_id: str
    at: datetime
    expires_at: datetime
    is_grant: bool
    answered_at: datetime
    request: Acknowledged
    tenure: Tenure | None

    @property
    def began_at(self) -> datetime | None:
        """When its tenure began. This distinguishes the tenures of a session."""
        return None if self.tenure is None else self.tenure.started_at


def leases_of(history: History, tenures: Sequence[Tenure]) -> tuple[Lease, ...]:
    """Collect the leases from the answers to acquires and heartbeats, in the order of the decisions."""
    of_session = _by_session(tenures)
    leases = []
    for request in history.requests or ():
        told, expires = request.body.get("server_time"), request.body.get("lease_expires_at")
        if request.status not in {OK, CREATED} or request.session_id is None or request.answered_at is None:
            continue
        if request.operation is Operation.RELEASE or not isinstance(told, str) or not isinstance(expires, str):
            continue
        at = datetime.fromisoformat(told)
        leases.append(
            Lease(
                session_id=request.session_id,
                at=at,
                expires_at=datetime.fromisoformat(expires),
                is_grant=request.operation is Operation.ACQUIRE and request.status == CREATED,
                answered_at=request.answered_at,
                request=request,
                tenure=_tenure_at(at, of_session.get(request.session_id, ())),
            )
        )
    return tuple(sorted(leases, key=lambda lease: lease.at))


def _by_session(tenures: Iterable[Tenure]) -> Mapping[str, list[Tenure]]:
    found: dict[str, list[Tenure]] = defaultdict(list)
    for tenure in sorted(tenures, key=lambda each: each.started_at):
        found[tenure.session_id].append(tenure)
    return found


def _tenure_at(at: datetime, tenures: Sequence[Tenure]) -> Tenure | None:
    begun = bisect_right(tenures, at, key=lambda tenure: tenure.started_at)
    return tenures[begun - 1] if begun else None
