"""The judge: checks every invariant on one history."""

from dataclasses import replace

from infra.judge import (
    acknowledged_in_trail,
    acknowledged_seats,
    borrowing,
    cap,
    caps_in_force,
    documents,
    events,
    expiry_reports,
    grants,
    kept_out,
    leases,
    line,
    published,
    refusals,
    repairs,
    starts_and_ends,
    terms_of_grants,
    usage_days,
    usage_reports,
)
from infra.judge.acknowledged_leases import leases_of
from infra.judge.history import History
from infra.judge.reconstruction import tenures_of
from infra.judge.terms import Terms
from infra.judge.violation import Violation


def whole_part(history: History) -> History:
    """Leave out events from the time when the trail may be incomplete because others were purged."""
    begins_at = history.begins_at
    if begins_at is None:
        return history
    return replace(history, events=tuple(event for event in history.events if event.at > begins_at))


def judge(history: History) -> list[Violation]:
    """List the broken promises; an empty list if the history shows none."""
    history = whole_part(history)
    tenures = tenures_of(history)
    told = leases_of(history, tenures)
    terms = Terms(history)
    return [
        *cap.violations(history, tenures, terms),
        *caps_in_force.violations(history),
        *terms_of_grants.violations(history, tenures, terms),
        *borrowing.violations(history, tenures, terms),
        *kept_out.violations(history),
        *line.violations(history, tenures, terms),
        *grants.violations(history),
        *events.violations(history),
        *starts_and_ends.violations(history, tenures),
        *documents.violations(history, tenures),
        *repairs.violations(history, tenures),
        *refusals.violations(history, tenures, terms),
        *expiry_reports.violations(history, terms),
        *acknowledged_in_trail.violations(history, told),
        *leases.violations(history, told),
        *acknowledged_seats.violations(history, told, terms),
        *usage_days.violations(history, tenures, terms),
        *usage_reports.violations(history, tenures, told),
        *published.violations(history),
    ]
