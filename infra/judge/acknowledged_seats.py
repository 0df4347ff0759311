"""According to the clients' answers alone, no more seats were held at a time than a grant's answer allows."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.judge.acknowledged_leases import GONE, Lease
from infra.judge.history import History, Operation
from infra.judge.terms import Terms
from infra.judge.violation import Kind, Violation


def violations(history: History, leases: Sequence[Lease], terms: Terms) -> Iterator[Violation]:
    """Count at each acknowledged grant the clients with a valid lease."""
    license_of = {lease.session_id: lease.request.body["license_id"] for lease in leases if _names_license(lease)}
    of_session: dict[str, list[Lease]] = defaultdict(list)
    for lease in leases:
        of_session[lease.session_id].append(lease)
    given_up = {
        request.session_id
        for request in history.requests or ()
        if request.operation is Operation.RELEASE or request.status == GONE
    }
    for grant in leases:
        # A lease without its grant in the trail has no terms: then the cap alone counts.
        seats = grant.request.body.get("seats")
        cap = seats.get("max") if grant.is_grant and isinstance(seats, dict) else None
        start = grant.tenure.starts[0] if grant.tenure is not None and grant.tenure.starts else None
        overdraft = 0 if start is None else terms.overdraft(start)
        if not isinstance(cap, int) or overdraft is None:
            continue
        license_id = license_of.get(grant.session_id)
        holders = [
            session_id
            for session_id, known in of_session.items()
            if license_of.get(session_id) == license_id and _holds(known, grant.at, given_up)
        ]
        if len(holders) > cap + overdraft:
            yield Violation(
                kind=Kind.ACKNOWLEDGED_ABOVE_CAP,
                organization_id=history.organization_id,
                at=grant.at,
                message=f"{len(holders)} clients held leases of {license_id} at a time, "
                f"which has {cap + overdraft} seats",
            )


def _holds(leases: Sequence[Lease], at: datetime, given_up: set[str | None]) -> bool:
    before = bisect_right(leases, at, key=lambda lease: lease.at)
    if not before or leases[before - 1].expires_at <= at:
        return False
    latest = leases[before - 1]
    if latest.tenure is None:  # the trail does not have the tenure, so it does not have its end either
        return latest.session_id not in given_up
    return at < latest.tenure.closes_from and all(end.at > at for end in latest.tenure.ends)


def _names_license(lease: Lease) -> bool:
    return "license_id" in lease.request.body
