"""Nobody was refused a seat while one was free.

::

    tenure          open |----- live ------| lapsed: does not count |  ended
    refusal at      ^ counts it            ^ does not               ^ does not

Counted is what the refusal's read can have seen: tenures whose start was committed by then and whose end was not,
unless their lease had run out; and those granted by the same commit, whose events have the same time. The races are in
that: a seat that is given back after the read is refused all the same. Of a denial the latest attempt is told, so that
one is judged.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.judge.admin_edits import AdminEdits
from infra.judge.cap import max_of
from infra.judge.history import Event, History, Operation
from infra.judge.occupancy import Occupancy
from infra.judge.tenure import Tenure
from infra.judge.violation import Kind, Violation
from shared.rules.audit import AuditType
from shared.rules.denial import Limit


def violations(history: History, tenures: Sequence[Tenure]) -> Iterator[Violation]:
    """Look at each denial, and at what refused clients were told."""
    admin_edits = AdminEdits(history.edits)
    if (
        not admin_edits.changed_any
    ):  # sessions that hands opened again or made up hold seats of which the trail knows nothing
        live = Occupancy((tenure.license_id, tenure.opens_from, tenure.live_until) for tenure in tenures)
        granted = Counter(
            (scope, start.at)
            for tenure in tenures
            for start in tenure.starts
            for scope in {tenure.license_id, None}
            if start.committed_at is not None
        )
        for event in history.events:
            if event.type == AuditType.DENIED and (found := _of(event, live, granted)):
                at, message = found
                yield Violation(
                    kind=Kind.REFUSED_WHILE_FREE,
                    organization_id=history.organization_id,
                    at=at,
                    message=message,
                    events=(event,),
                    is_certain=admin_edits.known,
                )
    for request in history.requests or ():
        if request.operation is Operation.ACQUIRE and request.status == 409:  # noqa: PLR2004 the status of a full license
            details = request.body.get("error", {}).get("details", {})
            if details.get("in_use", 0) < details.get("max", 0):
                yield Violation(
                    kind=Kind.REFUSED_WHILE_FREE,
                    organization_id=history.organization_id,
                    at=None,
                    message=f"{request.user_id} was told that {details['in_use']} of {details['max']} seats are in use",
                )


def _of(event: Event, live: Occupancy, granted: Counter[tuple[str | None, datetime]]) -> tuple[datetime, str] | None:
    last = event.details.get("last_attempt_at")
    at = last if isinstance(last, datetime) else event.at
    is_of_license = event.details.get("limit") == Limit.LICENSE
    scope = event.license_id if is_of_license else None
    cap = max_of(event, "seats" if is_of_license else "organization_seats")
    if cap is None:
        return at, "a cap stood in the way that there was not"
    held = live.count(at, license_id=scope) + granted[scope, at]
    return (at, f"at most {held} of {cap} seats were held") if held < cap else None
