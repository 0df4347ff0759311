"""The output of a failed run: its histories as files, and the shortest history that shows the violation."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.judge.history import Acknowledged, AdminEdit, Event, History
from infra.judge.saving import to_json
from infra.judge.tenure import moment
from infra.judge.violation import Violation


def keep(histories: Sequence[History], folder: Path) -> list[Path]:
    """Write each history into a file of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for history in histories:
        path = folder / f"{history.organization_id}.json"
        path.write_bytes(to_json(history))
        written.append(path)
    return written


def words(violation: Violation) -> str:
    """One violation in a line."""
    doubt = "" if violation.is_certain else " (perhaps)"
    return f"{violation.organization_id} {violation.at}: {violation.kind}{doubt}: {violation.message}"


def lines(history: History) -> Iterator[str]:
    """A short history for people, in the order of time."""
    told = [
        *((moment(event), _event(event)) for event in history.events),
        *((edit.at, _edit(edit)) for edit in history.edits or ()),
        *((request.sent_at, _request(request)) for request in history.requests or ()),
    ]
    yield from (f"{at.isoformat()}  {line}" for at, line in sorted(told))


def _event(event: Event) -> str:
    return (
        f"event    {event.type} {event.license_id} {event.session_id} at {event.at.isoformat()} {dict(event.details)}"
    )


def _edit(edit: AdminEdit) -> str:
    done = "deleted" if edit.fields is None else dict(edit.fields)
    return f"edit     {edit.collection}/{edit.document_id}: {done}"


def _request(request: Acknowledged) -> str:
    until = "" if request.answered_at is None else f" until {request.answered_at.isoformat()}"
    return f"request  {request.operation} {request.session_id} of {request.user_id}: {request.status}{until}"
