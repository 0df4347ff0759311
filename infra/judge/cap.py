"""At each grant, the open sessions were within both caps that the grant's decision had read.

A license may give seats above its cap: its overdraft. Whether the caps were in force is checked in ``caps_in_force``.
Sessions may stay above a cap that an admin lowered, so only new grants are checked.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from infra.judge.history import Event, History
from infra.judge.occupancy import Occupancy
from infra.judge.tenure import Tenure, moment
from infra.judge.terms import Terms
from infra.judge.violation import Kind, Violation
from shared.rules.audit import AuditType


def violations(history: History, tenures: Sequence[Tenure], terms: Terms) -> Iterator[Violation]:
    """Count the open tenures after each commit with a grant."""
    open_ones = Occupancy((tenure.license_id, tenure.opens_at, tenure.closes_from) for tenure in tenures)
    for grant in history.events:
        if grant.type != AuditType.ACQUIRED:
            continue
        at = moment(grant)
        for kind, cap, overdraft, scope in (
            (Kind.LICENSE_CAP_EXCEEDED, max_of(grant, "seats"), terms.overdraft(grant), grant.license_id),
            (Kind.ORGANIZATION_CAP_EXCEEDED, max_of(grant, "organization_seats"), 0, None),
        ):
            if cap is None or overdraft is None or (in_use := open_ones.count(at, scope=scope)) <= cap + overdraft:
                continue
            holders = [
                tenure
                for tenure in tenures
                if scope in {None, tenure.license_id} and tenure.is_certainly_open(at) and grant not in tenure.starts
            ]
            above = f" and {overdraft} overdraft seats" if overdraft else ""
            yield Violation(
                kind=kind,
                organization_id=history.organization_id,
                at=at,
                message=f"{in_use} sessions were open after a grant under a cap of {cap}{above}",
                events=(grant, *(start for holder in holders for start in holder.starts)),
                is_certain=kind is Kind.ORGANIZATION_CAP_EXCEEDED or terms.is_certain(grant),
            )


def max_of(event: Event, name: str) -> int | None:
    """The cap that the event's decision had read, if the event names it."""
    seats: Any = event.details.get(name)
    cap = seats.get("max") if isinstance(seats, dict) else None
    return cap if isinstance(cap, int) else None
