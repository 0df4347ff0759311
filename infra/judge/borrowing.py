"""Seats were lent only as the terms of the license say, and no lease of a borrowed seat was cut short.

A borrow takes the number of a grant, so every earlier one was committed when it was read. So what it counted is known
exactly: the seats that others had borrowed then, and those that were lent before it in the same commit.

::

    borrow of another      commit |-------- counts ----------| its time, or the commit of the session's end
    borrow                              ^ read
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from infra.judge.admin_edits import AdminEdits
from infra.judge.history import Event, History
from infra.judge.occupancy import Occupancy
from infra.judge.tenure import Tenure, borrowed_until, moment
from infra.judge.terms import Terms
from infra.judge.violation import Kind, Violation
from shared.rules.license import License

_Found = tuple[Kind, str]


def violations(history: History, tenures: Sequence[Tenure], terms: Terms) -> Iterator[Violation]:
    """Check each borrow, and the leases of each borrowed seat."""
    lent = _Lent(tenures)
    is_certain = AdminEdits(history.edits).known
    for tenure in tenures:
        for borrow in tenure.borrows:
            if (found := _refused(borrow, lent, terms)) is not None:
                yield _violation(*found, tenure, history, borrow, is_certain=is_certain)
        if not tenure.is_changed:
            for kind, message, event in _kept(tenure):
                yield _violation(kind, message, tenure, history, event, is_certain=is_certain)


class _Lent:
    """The seats that were certainly borrowed at an instant."""

    def __init__(self, tenures: Sequence[Tenure]) -> None:
        held = [(tenure, *each) for tenure in tenures for each in _spans(tenure)]
        self._of_license = Occupancy((tenure.license_id, since, until) for tenure, since, until in held)
        self._of_session = Occupancy((tenure.session_id, since, until) for tenure, since, until in held)
        self._commits: dict[tuple[str | None, datetime, datetime | None], list[Event]] = defaultdict(list)
        for borrow in (borrow for tenure in tenures for borrow in tenure.borrows):
            self._commits[borrow.license_id, borrow.at, borrow.committed_at].append(borrow)

    def to_others(self, borrow: Event) -> int:
        """Count the other seats of the license that the decision must have counted."""
        before = self._of_license.count(borrow.at, scope=borrow.license_id) - self._is_lent(
            borrow.session_id, borrow.at
        )
        with_it = {
            each.session_id
            for each in self._commits[borrow.license_id, borrow.at, borrow.committed_at]
            if (each.grant_number or 0) < (borrow.grant_number or 0) and each.session_id != borrow.session_id
        }
        return before + sum(not self._is_lent(session_id, borrow.at) for session_id in with_it)

    def _is_lent(self, session_id: str | None, at: datetime) -> int:
        return self._of_session.count(at, scope=session_id)


def _spans(tenure: Tenure) -> Iterator[tuple[datetime, datetime]]:
    """From when to when the seat was certainly borrowed, for each borrow until the next one."""
    for number, borrow in enumerate(tenure.borrows):
        if (until := borrowed_until(borrow)) is not None:
            yield moment(borrow), min(until, tenure.closes_from, *map(moment, tenure.borrows[number + 1 : number + 2]))


def _refused(borrow: Event, lent: _Lent, terms: Terms) -> _Found | None:
    """What stood against a borrow under all terms that it may have used; ``None`` if nothing did under some of them."""
    licenses = terms.licenses(borrow) if borrow.committed_at is not None else ()
    found = [_problem(each, borrow, others=lent.to_others(borrow)) for each in licenses]
    return None if None in found else next(iter(found), None)


def _problem(license_: License, borrow: Event, *, others: int) -> _Found | None:
    until, most = borrowed_until(borrow), license_.max_borrowed_seats
    if until is None:
        return None  # ``events`` reports that it cannot be read
    if not license_.borrow_for:
        return Kind.NOT_LENT, f"it was borrowed, but {borrow.license_id} lends no seats"
    if until - borrow.at > license_.borrow_for:
        return (
            Kind.BORROWED_TOO_LONG,
            f"it was borrowed for {until - borrow.at}, but {license_.borrow_for} is the longest",
        )
    if license_.expires_at is not None and until > license_.expires_at:
        return Kind.BORROWED_TOO_LONG, f"it was borrowed until {until}, but the license ends at {license_.expires_at}"
    if most is not None and others >= most:
        return Kind.BORROWED_SEATS_EXCEEDED, f"it was borrowed when {others} others were, but the license lends {most}"
    return None


def _kept(tenure: Tenure) -> Iterator[tuple[Kind, str, Event | None]]:
    """Compare the borrows of a tenure with each other, with its end, and with its session."""
    for before, after in pairwise(tenure.borrows):
        first, second = borrowed_until(before), borrowed_until(after)
        if first is not None and second is not None and second <= first:
            yield Kind.BORROWED_FOR_LESS, f"it was borrowed until {first}, and then until {second}", after
    until, session = tenure.borrowed_until, {} if tenure.session is None else tenure.session.fields
    leases: list[tuple[object, Event | None]] = [(end.details.get("lease_expires_at"), end) for end in tenure.ends]
    leases.append((session.get("lease_expires_at"), None))
    for lease, event in leases:
        if until is not None and isinstance(lease, datetime) and lease < until:
            yield Kind.BORROW_CUT_SHORT, f"it was borrowed until {until}, but its lease ends at {lease}", event
    told = session.get("borrowed_until")
    if tenure.session is not None and (tenure.starts or tenure.borrows) and told != until:
        yield Kind.BORROW_MISTOLD, f"it was borrowed until {until}, but its session says {told}", None


def _violation(
    kind: Kind, message: str, tenure: Tenure, history: History, event: Event | None, *, is_certain: bool
) -> Violation:
    return Violation(
        kind=kind,
        organization_id=history.organization_id,
        at=tenure.started_at if event is None else event.at,
        message=f"the seat of {tenure.user_id} in {tenure.session_id}: {message}",
        events=tenure.borrows if event is None else (event,),
        is_certain=is_certain,
    )
