"""The documents say what the trail says: every open session has a grant, every open tenure its session.

Counters equal sessions, unless a hand was there and nobody has looked since: they heal with the next refusal, or the
next run of ``reconcile``.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from infra.judge.admin_edits import AdminEdits
from infra.judge.history import History, Present, Stored
from infra.judge.soundness import only
from infra.judge.tenure import NEVER, Tenure, is_open
from infra.judge.violation import Kind, Violation
from shared.rules.audit import AuditType
from shared.rules.seat_use import SeatUse
from shared.seats.counters import counted_under


def violations(history: History, tenures: Sequence[Tenure]) -> Iterator[Violation]:
    """Compare."""
    if history.present is None:
        return
    admin_edits = AdminEdits(history.edits)
    latest = {tenure.session_id: tenure for tenure in tenures}  # they are in the order of time
    for tenure in tenures:
        found = None if tenure.is_changed else _of(tenure, history, is_latest=latest[tenure.session_id] is tenure)
        if found is not None:
            kind, message = found
            yield Violation(
                kind=kind,
                organization_id=history.organization_id,
                at=tenure.started_at,
                message=f"the tenure of {tenure.session_id} since {tenure.started_at.isoformat()}: {message}",
                events=tenure.events,
                is_certain=admin_edits.known,
            )
    if problem := _disagreement(history.present, history):
        yield Violation(
            kind=Kind.COUNTERS_DISAGREE,
            organization_id=history.organization_id,
            at=history.present.read_at,
            message=problem,
            is_certain=history.is_settled or not admin_edits.touched_any,
        )


def _of(tenure: Tenure, history: History, *, is_latest: bool) -> tuple[Kind, str] | None:
    session = tenure.session
    if session is None:
        return None if tenure.ends or not is_latest else _gone(tenure, history)
    if not is_open(session):
        return None if tenure.ends else _ended(tenure, session, history)
    if tenure.ends:
        return Kind.SESSION_OPEN_AFTER_END, "it ended, and its session is open"
    if not tenure.starts and not tenure.began_before:
        return Kind.SESSION_UNTOLD, f"a seat of {tenure.license_id} is held that nobody was granted"
    return None


def _gone(tenure: Tenure, history: History) -> tuple[Kind, str] | None:
    """Find out about a tenure that goes on, and whose session is not there."""
    if history.edits is None or tenure.closes_from == NEVER:
        return Kind.SESSION_MISSING, "no end is told, and its session is not there"
    return (Kind.END_MISSING, "its session was deleted, and nobody tells so") if history.is_settled else None


def _ended(tenure: Tenure, session: Stored, history: History) -> tuple[Kind, str] | None:
    """Find out about a session that has ended, of which no end is told. The functions always give a reason."""
    by_hand = session.fields.get("end_reason") is None and tenure.closes_from != NEVER
    if by_hand and not history.is_settled:
        return None  # nobody has noticed yet
    return Kind.END_MISSING, "its session has ended, and nobody tells so"


def _disagreement(present: Present, history: History) -> str | None:
    held = Counter(counted_under(each.fields.get("license_id")) for each in present.sessions if is_open(each))
    grants = [event.grant_number or 0 for event in history.events if event.type == AuditType.ACQUIRED]
    if present.seats is None:
        return f"there are no counters, and {held.total()} open sessions" if held or grants else None
    fields = present.seats.fields
    counted = fields.get("by_license")
    by_license = {key: seats for key, seats in counted.items() if seats} if isinstance(counted, dict) else {}
    if by_license != dict(held) or fields.get("total") != held.total():
        return f"counted are {by_license}, {fields.get('total')} in all; open are {dict(held)}"
    numbered = only(int, fields.get("grants"))
    if numbered is None or (grants and numbered != max(grants)):
        return f"{fields.get('grants')} grants are counted, the latest has the number {max(grants, default=None)}"
    if fields.get("seal") != SeatUse(by_license=held, grants=numbered).seal:
        return "their seal does not fit them"
    return None
