"""The numbers of grants and borrows have no gap, and each grant was decided after all earlier ones were committed.

This serializes grants: two instances that grant the same seat create the same document, and one of them fails. A borrow
takes the number of a grant, so this holds for borrows too.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from infra.judge.history import Event, History
from infra.judge.tenure import NUMBERED
from infra.judge.violation import Kind, Violation


def violations(history: History) -> Iterator[Violation]:
    """Check the grant numbers since the trail's beginning."""
    by_number: dict[int, list[Event]] = defaultdict(list)
    for event in history.events:
        if event.type in NUMBERED and event.grant_number is not None:
            by_number[event.grant_number].append(event)
    numbers = sorted(by_number)
    if history.begins_at is None:
        numbers = [0, *numbers]
    for before, after in pairwise(numbers):
        if after - before > 1:
            missing = f"{before + 1} to {after - 1}" if after - before > 2 else str(before + 1)  # noqa: PLR2004 one is missing
            yield Violation(
                kind=Kind.GRANT_MISSING,
                organization_id=history.organization_id,
                at=by_number[after][0].at,
                message=f"no event has the grant number {missing}",
                events=(by_number[after][0],),
            )
    for number, events in by_number.items():
        if len(events) > 1:
            yield Violation(
                kind=Kind.GRANT_TWICE,
                organization_id=history.organization_id,
                at=events[-1].at,
                message=f"{len(events)} grants have the number {number}",
                events=tuple(events),
            )
    for before, after in pairwise(number for number in numbers if number):
        first, second = by_number[before][0], by_number[after][0]
        # Grants of one commit have the same time. Any other grant was committed before the next was decided.
        known_at = first.at if first.committed_at is None else first.committed_at
        if first.at != second.at and known_at > second.at:
            yield Violation(
                kind=Kind.GRANT_OUT_OF_ORDER,
                organization_id=history.organization_id,
                at=second.at,
                message=f"grant {after} was decided before grant {before} was committed",
                events=(first, second),
            )
