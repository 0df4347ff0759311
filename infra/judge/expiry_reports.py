"""A report that a license ends soon is true: it names the license's end, is not too early, and the license is in use.

Its id follows from the end and the days, so ``events`` sees to it that each is reported once.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from infra.judge.history import Event, History
from infra.judge.terms import Terms
from infra.judge.violation import Kind, Violation
from shared.rules.audit import AuditType

_READ_EARLIER = timedelta(minutes=25)
"""A run of ``reconcile`` reads many licenses at a time, and may take as long as this to report the last of them."""


def violations(history: History, terms: Terms) -> Iterator[Violation]:
    """Check each report."""
    for event in history.events:
        if event.type == AuditType.LICENSE_EXPIRING and (problem := _problem(event, terms)) is not None:
            yield Violation(
                kind=Kind.EXPIRY_MISTOLD,
                organization_id=history.organization_id,
                at=event.at,
                message=f"the report of the end of {event.license_id}: {problem}",
                events=(event,),
                is_certain=history.edits is not None,
            )


def _problem(event: Event, terms: Terms) -> str | None:
    ends_at, days = event.details.get("expires_at"), event.details.get("days_before")
    if not isinstance(ends_at, datetime) or not isinstance(days, int):
        return None  # ``events`` reports that it cannot be read
    if not event.at < ends_at <= event.at + timedelta(days=days):
        return f"{ends_at.isoformat()} is not within {days} days"
    licenses = terms.licenses(event, earlier=_READ_EARLIER)
    if licenses and not any(each.is_active and each.expires_at == ends_at for each in licenses):
        return f"the license was not active, or did not end at {ends_at.isoformat()}"
    return None
