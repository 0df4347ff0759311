"""Every decision about a seat used the caps in force, as far as ``versions`` knows them."""

from collections.abc import Iterator

from infra.judge.history import History
from infra.judge.terms import time_of
from infra.judge.versions import UNKNOWN, Versions
from infra.judge.violation import Kind, Violation
from shared.rules.audit import AuditType

FIELD = "max_concurrent_seats"


def violations(history: History) -> Iterator[Violation]:
    """Check the two caps that each grant and each denial names."""
    versions = Versions(history)
    for event in history.events:
        if event.type not in {AuditType.ACQUIRED, AuditType.DENIED}:
            continue
        read_at, until = time_of(event)
        for name, document in (
            ("seats", ("licenses", event.license_id or "")),
            ("organization_seats", ("organizations", history.organization_id)),
        ):
            seats = event.details.get(name)
            if not isinstance(seats, dict):
                continue
            then = versions.used(document, read_at=read_at, until=until)
            cap, possible = seats.get("max"), [each.value(FIELD) for each in then]
            if not possible or cap in possible or UNKNOWN in possible:
                continue
            is_certain = versions.are_noted or all(each.is_known for each in then)
            # The trail has only the sum of several edits in quick succession, so a cap that it never names may have
            # been in force. A cap that it names, but at another time, shows a decision under an old value.
            if is_certain or any(each.value(FIELD) == cap for each in versions.of(document)):
                yield Violation(
                    kind=Kind.CAP_NOT_IN_FORCE,
                    organization_id=history.organization_id,
                    at=read_at,
                    message=f"{event.type} used the cap {cap} of {'/'.join(document)}, but "
                    f"{', '.join(map(str, possible))} was in force",
                    events=(event,),
                    is_certain=is_certain,
                )
