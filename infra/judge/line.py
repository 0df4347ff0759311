"""No seat is given past the users who waited before, and every place that a client was told of is in the trail.

::

    place       since .. commit |---------- waits ----------| until
    grants            ^ read           ^ read: counts it    ^ read

A place before a grant's user counts like a seat in use: with the open sessions it has to fit under the cap. A place
counts if it was committed before the grant's read and its end tells that it still waited then. So an instance that
saw the line a moment earlier accuses nobody. With reservations or allowed groups a place may hold up nobody, and the
trail does not tell which. Such grants are not judged.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from infra.judge.acknowledged_leases import is_place
from infra.judge.admin_edits import AdminEdits
from infra.judge.history import Event, History
from infra.judge.occupancy import Occupancy
from infra.judge.soundness import only
from infra.judge.tenure import ALWAYS, Tenure
from infra.judge.terms import Terms
from infra.judge.violation import Kind, Violation
from shared.rules.audit import ERASED, AuditType

_SECOND = timedelta(seconds=1)
"""The trail tells whole seconds of waiting."""


def violations(history: History, tenures: Sequence[Tenure], terms: Terms) -> Iterator[Violation]:
    """Check each grant, and each answer with a place."""
    admin_edits = AdminEdits(history.edits)
    if not admin_edits.changed_any:  # sessions that admins reopened or created hold seats that are not in the trail
        yield from _out_of_turn(history, tenures, terms, is_certain=admin_edits.known)
    yield from _places_lost(history)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """A place that was in the line at each read from ``seen_from`` on and before ``until``."""

    queued: Event
    since: datetime
    seen_from: datetime
    until: datetime


def _out_of_turn(history: History, tenures: Sequence[Tenure], terms: Terms, *, is_certain: bool) -> Iterator[Violation]:
    open_ones = Occupancy((tenure.license_id, tenure.opens_at, tenure.closes_from) for tenure in tenures)
    places = _places(history)
    for grant in history.events:
        here = places.get(grant.license_id)
        if grant.type != AuditType.ACQUIRED or grant.committed_at is None or not here:
            continue
        licenses = terms.licenses(grant)
        if not licenses or any(each.reservations or each.allowed_groups is not None for each in licenses):
            continue
        waited = only(int, grant.details.get("waited_seconds"))
        came_at = grant.at if waited is None else grant.at - waited * _SECOND - _SECOND
        before = [
            each.queued
            for each in here[: bisect_left(here, came_at, key=lambda place: place.since)]
            # One that was served in the same commit holds a seat already.
            if each.seen_from < grant.at < each.until and grant.committed_at < each.until
        ]
        seats = max(each.max_concurrent_seats + each.overdraft_seats for each in licenses)
        in_use = open_ones.count(grant.committed_at, scope=grant.license_id)
        if before and in_use + len(before) > seats:
            yield Violation(
                kind=Kind.GRANTED_OUT_OF_TURN,
                organization_id=history.organization_id,
                at=grant.committed_at,
                message=f"{grant.user_id} was granted one of {seats} seats of {grant.license_id}. Then {in_use} were "
                f"in use, and {len(before)} users had waited for longer",
                events=(*before, grant),
                is_certain=is_certain,
            )


def _places(history: History) -> Mapping[str | None, Sequence[_Place]]:
    """The places of which the trail tells an end, by license, in their order."""
    gave_up: dict[tuple[str | None, datetime], Event] = {}
    grants: dict[str | None, list[Event]] = defaultdict(list)
    for event in history.events:
        since = event.details.get("since")
        if event.type == AuditType.GAVE_UP and isinstance(since, datetime):
            gave_up[event.session_id, since] = event
        elif event.type == AuditType.ACQUIRED:
            grants[event.session_id].append(event)
    for each in grants.values():
        each.sort(key=lambda grant: grant.at)
    found: dict[str | None, list[_Place]] = defaultdict(list)
    for event in history.events:
        since = event.details.get("since")
        if event.type != AuditType.QUEUED or event.committed_at is None or event.user_id == ERASED:
            continue
        if not isinstance(since, datetime):
            continue
        until = _until(since, gave_up.get((event.session_id, since)), grants[event.session_id])
        found[event.license_id].append(_Place(queued=event, since=since, seen_from=event.committed_at, until=until))
    return {license_id: sorted(each, key=lambda place: place.since) for license_id, each in found.items()}


def _until(since: datetime, gave_up: Event | None, grants: Sequence[Event]) -> datetime:
    """Until when a place waited at least."""
    served = next((grant for grant in grants if grant.at >= since), None)
    served_at = None if served is None else served.committed_at
    if gave_up is not None:
        given_up_at = since + (only(int, gave_up.details.get("waited_seconds")) or 0) * _SECOND
        return given_up_at if served_at is None else min(given_up_at, served_at)
    waited = None if served is None else only(int, served.details.get("waited_seconds"))
    if served is None or served_at is None or waited is None:
        return since
    return served_at if served.at - since < (waited + 1) * _SECOND else since


def _places_lost(history: History) -> Iterator[Violation]:
    told = {(each.session_id, each.details.get("since")) for each in history.events if each.type == AuditType.QUEUED}
    for request in history.requests or ():
        if not is_place(request):
            continue
        since = datetime.fromisoformat(request.body["waiting"]["since"])
        if since > (history.begins_at or ALWAYS) and (request.session_id, since) not in told:
            yield Violation(
                kind=Kind.ACKNOWLEDGED_PLACE_LOST,
                organization_id=history.organization_id,
                at=since,
                message=f"{request.user_id} was told of a place since {since}, but the trail has no such place",
            )
