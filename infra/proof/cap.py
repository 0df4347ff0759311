"""At no commit were more sessions open than either cap allowed that the commit's own decision had read.

Whether that cap was the one in force is another question. A cap that an admin lowered stays exceeded by who was there
before, so it is looked at where somebody new came.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from infra.proof.history import Event, History
from infra.proof.tenures import Tenure, moment
from infra.proof.violation import Kind, Violation
from shared.rules.audit import AuditType


def violations(history: History, tenures: Sequence[Tenure]) -> Iterator[Violation]:
    """Count the open tenures after each commit that granted."""
    for grant in history.events:
        if grant.type != AuditType.ACQUIRED:
            continue
        at = moment(grant)
        open_then = [tenure for tenure in tenures if tenure.is_certainly_open(at)]
        of_license = [tenure for tenure in open_then if tenure.license_id == grant.license_id]
        for kind, name, holders in (
            (Kind.LICENSE_CAP_EXCEEDED, "seats", of_license),
            (Kind.ORGANIZATION_CAP_EXCEEDED, "organization_seats", open_then),
        ):
            cap = max_of(grant, name)
            if cap is not None and len(holders) > cap:
                yield Violation(
                    kind=kind,
                    organization_id=history.organization_id,
                    at=at,
                    message=f"{len(holders)} sessions were open after a grant that {cap} seats allowed",
                    events=(grant, *(start for holder in holders for start in holder.starts if start != grant)),
                )


def max_of(event: Event, name: str) -> int | None:
    """The cap that the event's decision had read."""
    seats: Any = event.details.get(name)
    cap = seats.get("max") if isinstance(seats, dict) else None
    return cap if isinstance(cap, int) else None
