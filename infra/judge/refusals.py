"""No client was denied a seat while one was free.

::

    tenure          open |----- live ------| lapsed: does not count |  ended
    denial at       ^ counts it            ^ does not               ^ does not

The check counts what the denial's read can have seen: tenures whose start was committed and whose end was not, unless
their lease had run out. It also counts grants of the same commit, which have the same time. So a seat that is released
after the read does not count as free. A denial event shows its latest attempt, and that attempt is judged. A seat
that was free for a user in the line counts as held.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.judge.acknowledged_leases import is_denial
from infra.judge.admin_edits import AdminEdits
from infra.judge.cap import max_of
from infra.judge.history import Event, History
from infra.judge.occupancy import Occupancy
from infra.judge.tenure import NEVER, Tenure
from infra.judge.violation import Kind, Violation
from shared.rules.audit import CONSOLE, AuditType
from shared.rules.denial import Limit
from shared.seats.recent_examinations import KEPT_FOR


def violations(history: History, tenures: Sequence[Tenure]) -> Iterator[Violation]:
    """Check each denial, and the answers to denied clients."""
    admin_edits = AdminEdits(history.edits)
    if not admin_edits.changed_any:  # sessions that admins reopened or created hold seats that are not in the trail
        live = Occupancy((tenure.license_id, tenure.opens_from, _counted_until(tenure)) for tenure in tenures)
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
        if is_denial(request):
            details = request.body.get("error", {}).get("details", {})
            if details.get("in_use", 0) + details.get("for_waiting", 0) < details.get("max", 0):
                yield Violation(
                    kind=Kind.REFUSED_WHILE_FREE,
                    organization_id=history.organization_id,
                    at=None,
                    message=f"{request.user_id} was denied although {details['in_use']} of {details['max']} seats "
                    "were in use, by the answer itself",
                )


def _counted_until(tenure: Tenure) -> datetime:
    """Until when a denial may count the tenure. An examination of the last second does not know of an end by hand."""
    is_ended_by_hand = any(end.actor == CONSOLE for end in tenure.ends) and tenure.closes_by != NEVER
    return tenure.closes_by + KEPT_FOR if is_ended_by_hand else tenure.live_until


def _of(event: Event, live: Occupancy, granted: Counter[tuple[str | None, datetime]]) -> tuple[datetime, str] | None:
    last = event.details.get("last_attempt_at")
    at = last if isinstance(last, datetime) else event.at
    is_of_license = event.details.get("limit") == Limit.LICENSE
    scope = event.license_id if is_of_license else None
    cap = max_of(event, "seats" if is_of_license else "organization_seats")
    if cap is None:
        return at, "the denial names a cap that does not exist"
    held = live.count(at, license_id=scope) + granted[scope, at] + event.details.get("for_waiting", 0)
    return (at, f"at most {held} of {cap} seats were held") if held < cap else None
