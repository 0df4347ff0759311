"""Counters need a repair only after an admin's edit, and a repair sets them to the open sessions."""

from collections.abc import Iterator, Sequence
from typing import Any

from infra.judge.admin_edits import AdminEdits
from infra.judge.history import Event, History
from infra.judge.occupancy import Occupancy
from infra.judge.tenure import ALWAYS, Tenure, moment
from infra.judge.violation import Kind, Violation
from shared.rules.audit import AuditType


def violations(history: History, tenures: Sequence[Tenure]) -> Iterator[Violation]:
    """Check each repair."""
    admin_edits = AdminEdits(history.edits)
    at_least = Occupancy((tenure.license_id, tenure.opens_at, tenure.closes_from) for tenure in tenures)
    at_most = Occupancy((tenure.license_id, tenure.opens_from, tenure.closes_by) for tenure in tenures)
    repairs = sorted((event for event in history.events if event.type == AuditType.USAGE_REPAIRED), key=moment)
    looked_at = ALWAYS
    for repair in repairs:
        # The repair before this one included every edit until its read.
        if admin_edits.known and not any(looked_at <= at <= moment(repair) for at in admin_edits.touched_counters):
            yield _violation(Kind.COUNTERS_DRIFTED, repair, history, "no admin had edited a session or a counter")
        looked_at = repair.at
        if admin_edits.changed_any:
            continue  # sessions that admins moved, reopened or created are counted, but are not in the trail
        told = _by_license(repair.details.get("after"))
        for license_id in sorted({*told, *(tenure.license_id for tenure in tenures)}):
            least = at_least.count(repair.at, license_id=license_id)
            most = at_most.count(repair.at, license_id=license_id)
            if not least <= told.get(license_id, 0) <= most:
                counted = told.get(license_id, 0)
                message = f"the repair counted {counted} seats of {license_id}, but {least} to {most} were held"
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


def _by_license(told: Any) -> dict[str, int]:  # noqa: ANN401 a stored value of an event
    return {each["license_id"]: each["in_use"] for each in told} if isinstance(told, list | tuple) else {}
