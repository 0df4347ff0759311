"""Counters need a repair only after an admin's edit, and a repair sets them to the open sessions, also of each pool."""

from collections.abc import Iterator, Sequence
from typing import Any

from infra.judge.admin_edits import AdminEdits
from infra.judge.history import Event, History
from infra.judge.occupancy import Occupancy
from infra.judge.tenure import ALWAYS, Tenure, moment
from infra.judge.violation import Kind, Violation
from shared.rules.audit import AuditType

_Scope = tuple[str, str | None]
"""A license, and one of its pools or all of them."""

_ALL = "/"
"""Stands for all pools of a license. No group can have this name."""


def violations(history: History, tenures: Sequence[Tenure]) -> Iterator[Violation]:
    """Check each repair."""
    admin_edits = AdminEdits(history.edits)
    scoped = [(scope, tenure) for tenure in tenures for scope in {tenure.scope, (tenure.license_id, _ALL)}]
    at_least = Occupancy((scope, tenure.opens_at, tenure.closes_from) for scope, tenure in scoped)
    at_most = Occupancy((scope, tenure.opens_from, tenure.closes_by) for scope, tenure in scoped)
    repairs = sorted((event for event in history.events if event.type == AuditType.USAGE_REPAIRED), key=moment)
    looked_at = ALWAYS
    for repair in repairs:
        # The repair before this one included every edit until its read.
        if admin_edits.known and not any(looked_at <= at <= moment(repair) for at in admin_edits.touched_counters):
            yield _violation(Kind.COUNTERS_DRIFTED, repair, history, "no admin had edited a session or a counter")
        looked_at = repair.at
        if admin_edits.changed_any:
            continue  # sessions that admins moved, reopened or created are counted, but are not in the trail
        told = _by_scope(repair.details.get("after"))
        # A common seat is counted for the license alone.
        for scope in sorted({*told, *(scope for scope, _ in scoped if scope[1] is not None)}):
            least, most = (bound.count(repair.at, scope=scope) for bound in (at_least, at_most))
            if not least <= (counted := told.get(scope, 0)) <= most:
                of_pool = "" if scope[1] == _ALL else f" for {scope[1]}"
                message = f"the repair counted {counted} seats of {scope[0]}{of_pool}, but {least} to {most} were held"
                yield _violation(Kind.REPAIR_MISTOLD, repair, history, message)


def _violation(kind: Kind, repair: Event, history: History, message: str) -> Violation:
    return Violation(
        kind=kind,
        organization_id=history.organization_id,
        at=repair.at,
        message=message,
        events=(repair,),
        is_certain=history.edits is not None,
    )


def _by_scope(told: Any) -> dict[_Scope, int]:  # noqa: ANN401 a stored value of an event
    licenses = told if isinstance(told, list | tuple) else ()
    pools = {(each["license_id"], pool["group"]): pool["in_use"] for each in licenses for pool in each.get("pools", ())}
    return {**pools, **{(each["license_id"], _ALL): each["in_use"] for each in licenses}}
