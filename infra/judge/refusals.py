"""No client was denied a seat, or told to wait for one, while one was free.

::

    tenure          open |----- live ------| lapsed: does not count |  ended
    denial at       ^ counts it            ^ does not               ^ does not

The check counts what the denial's read can have seen: tenures whose start was committed and whose end was not, unless
their lease had run out. It also counts grants of the same commit, which have the same time. So a seat that is released
after the read does not count as free. A denial event shows its latest attempt, and that attempt is judged.

A license may have reservations and overdraft. So the rule of ``shared/rules/pools`` says whether a seat was free for
the user. With more seats in use it never finds one that it did not find with fewer. A seat
that was free for a user in the line counts as held. An answer with a place in the line is judged like a denial: its
position tells for how many users before it a seat may be free.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.judge.acknowledged_leases import code_of, is_denial, is_place
from infra.judge.admin_edits import AdminEdits
from infra.judge.cap import max_of
from infra.judge.history import Acknowledged, Event, History, Operation
from infra.judge.occupancy import Occupancy
from infra.judge.tenure import ALWAYS, NEVER, Tenure
from infra.judge.terms import Terms, time_of
from infra.judge.violation import Kind, Violation
from shared.edge.errors import Code
from shared.rules.audit import CONSOLE, AuditType
from shared.rules.denial import Limit
from shared.rules.pools import free_seat
from shared.rules.seat_use import SeatUse
from shared.seats.recent_examinations import KEPT_FOR


def violations(history: History, tenures: Sequence[Tenure], terms: Terms) -> Iterator[Violation]:
    """Check each denial, and the answers to denied clients."""
    admin_edits = AdminEdits(history.edits)
    if not admin_edits.changed_any:  # sessions that admins reopened or created hold seats that are not in the trail
        held = _Held(tenures)
        for event in history.events:
            if event.type == AuditType.DENIED and (message := _of(event, held, terms)):
                yield Violation(
                    kind=Kind.REFUSED_WHILE_FREE,
                    organization_id=history.organization_id,
                    at=time_of(event)[0],
                    message=message,
                    events=(event,),
                    is_certain=admin_edits.known,
                )
        for request in history.requests or ():
            if is_place(request) and (message := _of_place(request, history, held, terms)):
                yield Violation(
                    kind=Kind.REFUSED_WHILE_FREE,
                    organization_id=history.organization_id,
                    at=datetime.fromisoformat(request.body["server_time"]),
                    message=message,
                    is_certain=admin_edits.known,
                )
    for request in history.requests or ():
        message = _by_itself(request) if is_denial(request) else None
        if request.operation is Operation.ACQUIRE and code_of(request) == Code.USER_DEVICE_LIMIT_REACHED:
            message = _of_devices(request, tenures)
        if message is not None:
            yield Violation(
                kind=Kind.REFUSED_WHILE_FREE, organization_id=history.organization_id, at=None, message=message
            )


class _Held:
    """The most seats that a denial can have counted."""

    def __init__(self, tenures: Sequence[Tenure]) -> None:
        self._live = Occupancy((tenure.scope, tenure.opens_from, _counted_until(tenure)) for tenure in tenures)
        self._granted = Counter(
            (scope, start.at)
            for tenure in tenures
            for start in tenure.starts
            for scope in (tenure.scope, None)
            if start.committed_at is not None
        )
        self._scopes: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
        for tenure in tenures:
            self._scopes[tenure.license_id].add(tenure.scope)

    def in_all(self, at: datetime) -> int:
        return self._count(None, at)

    def of(self, license_id: str, at: datetime) -> SeatUse:
        held = {scope: self._count(scope, at) for scope in self._scopes[license_id]}
        by_pool = {(license_id, pool): seats for (_, pool), seats in held.items() if pool is not None}
        return SeatUse(by_license={license_id: sum(held.values())}, by_pool=by_pool)

    def _count(self, scope: tuple[str, str | None] | None, at: datetime) -> int:
        return self._live.count(at, scope=scope) + self._granted[scope, at]


def _counted_until(tenure: Tenure) -> datetime:
    """Until when a denial may count the tenure. An examination of the last second does not know of an end by hand."""
    is_ended_by_hand = any(end.actor == CONSOLE for end in tenure.ends) and tenure.closes_by != NEVER
    return tenure.closes_by + KEPT_FOR if is_ended_by_hand else tenure.live_until


def _of(event: Event, held: _Held, terms: Terms) -> str | None:
    at, _ = time_of(event)
    is_of_license = event.details.get("limit") == Limit.LICENSE
    cap = max_of(event, "seats" if is_of_license else "organization_seats")
    if cap is None:
        return "the denial names a cap that does not exist"
    for_waiting = event.details.get("for_waiting", 0)
    if not is_of_license:
        in_all = held.in_all(at) + for_waiting
        return f"at most {in_all} of {cap} seats were held" if in_all < cap else None
    return _free_beside(event, held, terms, for_waiting=for_waiting)


def _of_place(request: Acknowledged, history: History, held: _Held, terms: Terms) -> str | None:
    """What is wrong with an answer with a place; ``None`` if nothing is, or if it is not known."""
    at = datetime.fromisoformat(request.body["server_time"])
    # An organization's cap is also for the places of its other licenses, and the answer does not tell how many.
    if at <= (history.begins_at or ALWAYS) or not terms.are_without_organization_cap(history.organization_id, at=at):
        return None
    decided = Event(
        event_id="",
        type=AuditType.QUEUED,
        at=at,
        actor=request.user_id,
        license_id=request.body["license_id"],
        user_id=request.user_id,
    )
    return _free_beside(decided, held, terms, for_waiting=request.body["waiting"]["position"] - 1)


def _free_beside(event: Event, held: _Held, terms: Terms, *, for_waiting: int) -> str | None:
    """Which seat was free for the event's user, beside those for users who waited before; ``None`` if none was."""
    at, _ = time_of(event)
    use, licenses = held.of(event.license_id or "", at), terms.licenses(event)
    use = use.changed({event.license_id or "": for_waiting}, granted=0, pools={})
    if for_waiting and any(license_.reservations for license_ in licenses):
        return None  # in which pool the seats are for users in the line, nothing says
    # A user whose groups are not known had at least the common pool.
    groups = terms.groups(event) or ((),)
    if not licenses or any(free_seat(license_, each, use) is None for license_ in licenses for each in groups):
        return None
    seats = max(license_.max_concurrent_seats for license_ in licenses)
    return f"at most {use.total} of {seats} seats were held, and one was free for {event.user_id}"


def _by_itself(request: Acknowledged) -> str | None:
    """How a denial contradicts itself; ``None`` if it does not."""
    details = request.body.get("error", {}).get("details", {})
    in_use, of_others, cap = (details.get(name, 0) for name in ("in_use", "reserved_for_others", "max"))
    if in_use + of_others + details.get("for_waiting", 0) >= cap:
        return None
    return f"{request.user_id} was denied although {in_use} of {cap} seats were in use, by the answer itself"


def _of_devices(request: Acknowledged, tenures: Sequence[Tenure]) -> str | None:
    """What is wrong with a refusal of one device too many; ``None`` if nothing is."""
    details, at = request.body["error"]["details"], datetime.fromisoformat(request.body["server_time"])
    if len(details["sessions"]) < details["max"]:
        return f"{request.user_id} was denied a device although the answer has less than {details['max']}"
    own = {(each["session_id"], datetime.fromisoformat(each["started_at"])) for each in details["sessions"]}
    held = {
        (tenure.session_id, tenure.started_at)
        for tenure in tenures
        if tenure.user_id == request.user_id
        # One that was granted in the same commit has the same time.
        and (tenure.started_at == at or tenure.opens_from <= at < _counted_until(tenure) or tenure.is_changed)
    }
    return f"{request.user_id} was denied a device for sessions that had ended: {own - held}" if own - held else None
