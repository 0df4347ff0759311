"""The documents agree with the trail: every open session has a grant, and every open tenure has its session.

Counters equal the open sessions, also those of each pool. After an admin's edit they may differ until the next denial
or the next run of ``reconcile`` repairs them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from infra.judge.admin_edits import AdminEdits
from infra.judge.history import History, Present, Stored
from infra.judge.soundness import only
from infra.judge.tenure import NEVER, NUMBERED, Tenure, is_open
from infra.judge.violation import Kind, Violation
from shared.documents.forms import GROUP
from shared.rules.seat_use import Pool, SeatUse
from shared.seats.counters import counted_under


def violations(history: History, tenures: Sequence[Tenure]) -> Iterator[Violation]:
    """Compare."""
    if history.present is None:
        return
    admin_edits = AdminEdits(history.edits)
    latest = {tenure.session_id: tenure for tenure in tenures}  # tenures are sorted by time
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
        return Kind.SESSION_OPEN_AFTER_END, "it ended, but its session is open"
    if not tenure.starts and not tenure.began_before:
        return Kind.SESSION_UNTOLD, f"it holds a seat of {tenure.license_id}, but the trail has no grant"
    return None


def _gone(tenure: Tenure, history: History) -> tuple[Kind, str] | None:
    """Check a tenure without an end whose session document is missing."""
    if history.edits is None or tenure.closes_from == NEVER:
        return Kind.SESSION_MISSING, "its session document is missing, but the trail has no end"
    return (Kind.END_MISSING, "its session was deleted, but the trail has no end") if history.is_settled else None


def _ended(tenure: Tenure, session: Stored, history: History) -> tuple[Kind, str] | None:
    """Check an ended session without an end in the trail. The functions always write a reason."""
    by_hand = session.fields.get("end_reason") is None and tenure.closes_from != NEVER
    if by_hand and not history.is_settled:
        return None  # no function has noticed yet
    return Kind.END_MISSING, "its session has ended, but the trail has no end"


def _disagreement(present: Present, history: History) -> str | None:
    held = Counter(counted_under(each.fields.get("license_id")) for each in present.sessions if is_open(each))
    grants = [event.grant_number or 0 for event in history.events if event.type in NUMBERED]
    if present.seats is None:
        return f"the counters are missing, but there are {held.total()} open sessions" if held or grants else None
    fields = present.seats.fields
    counted = fields.get("by_license")
    by_license = {key: seats for key, seats in counted.items() if seats} if isinstance(counted, dict) else {}
    if by_license != dict(held) or fields.get("total") != held.total():
        return f"the counters say {by_license}, total {fields.get('total')}; the open sessions are {dict(held)}"
    numbered = only(int, fields.get("grants"))
    if numbered is None or (grants and numbered != max(grants)):
        latest = max(grants, default=None)
        return f"the counters say {fields.get('grants')} grants, but the latest grant has the number {latest}"
    pools = Counter(pool for each in present.sessions if is_open(each) and (pool := _pool_of(each)) is not None)
    if (by_pool := _by_pool(fields.get("by_pool"))) != dict(pools):
        return f"the counters say {by_pool} of the pools; the open sessions are {dict(pools)}"
    use = SeatUse(by_license=held, by_pool=pools, grants=numbered, epoch=only(str, fields.get("epoch")))
    if fields.get("checksum") != use.checksum:
        return "the counters do not match their checksum"
    return None


def _pool_of(session: Stored) -> Pool | None:
    """The pool that a session counts in; ``None``: a common seat, or no possible group."""
    license_id, group = counted_under(session.fields.get("license_id")), session.fields.get("pool")
    return (license_id, group) if isinstance(group, str) and GROUP.fullmatch(group) is not None else None


def _by_pool(counted: object) -> dict[Pool, int]:
    """The counters of the pools that are not 0, as they are stored."""
    of_licenses = counted.items() if isinstance(counted, Mapping) else ()
    return {
        (license_id, group): seats
        for license_id, by_group in of_licenses
        if isinstance(by_group, Mapping)
        for group, seats in by_group.items()
        if seats
    }
