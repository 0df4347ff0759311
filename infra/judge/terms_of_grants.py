"""Each grant gave the seat that the license's terms allow: to this user, at this time, from this pool, with this mark.

The rules of ``shared/rules`` say which seat that is. An edit meanwhile makes several terms or groups possible, and an
end by hand several counts. A user who waited before may have had the first choice, or not: the trail does not tell
until when a place counted. A grant is a violation if it fits none of all this. A user who holds a seat keeps it,
whatever admins edit, so only new grants are checked.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.judge.admin_edits import AdminEdits
from infra.judge.history import Event, History
from infra.judge.occupancy import Occupancy
from infra.judge.pool_use import PoolUse
from infra.judge.tenure import NEVER, Tenure, moment
from infra.judge.terms import Groups, Terms
from infra.judge.violation import Kind, Violation
from shared.rules.audit import ERASED, AuditType
from shared.rules.license import License
from shared.rules.pools import FreeSeat, free_seat, pools
from shared.rules.seat_use import SeatUse

_MOST_CHOICES = 1_000
"""If those who waited may have left more counts than this, the grant is not judged."""

_Found = tuple[Kind, str]


def violations(history: History, tenures: Sequence[Tenure], terms: Terms) -> Iterator[Violation]:
    """Check each grant. Sessions that admins reopened or created may hold any seat, so then nothing is checked."""
    admin_edits = AdminEdits(history.edits)
    if admin_edits.changed_any:
        return
    grants = _Grants(
        terms=terms,
        use=PoolUse(history, tenures),
        devices=Occupancy(((each.license_id, each.user_id), each.opens_at, each.closes_from) for each in tenures),
        places=_places(history),
    )
    for event in history.events:
        if event.type == AuditType.ACQUIRED and event.committed_at is not None:
            for kind, message in grants.problems(event):
                yield Violation(
                    kind=kind,
                    organization_id=history.organization_id,
                    at=moment(event),
                    message=message,
                    events=(event,),
                    is_certain=admin_edits.known,
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grants:
    """What all grants are compared with."""

    terms: Terms
    use: PoolUse
    devices: Occupancy
    places: Mapping[str | None, Sequence["_Place"]]

    def problems(self, grant: Event) -> Iterator[_Found]:
        licenses, groups = self.terms.licenses(grant), self.terms.groups(grant)
        if not licenses:
            return
        told = f"{grant.user_id} was granted a seat of {grant.license_id}"
        if not any(each.has_started(now=grant.at) for each in licenses):
            yield Kind.GRANTED_BEFORE_START, f"{told}, which begins at {licenses[0].starts_at}"
        if groups and not any(_is_allowed(license_, each) for license_ in licenses for each in groups):
            yield Kind.GRANTED_TO_OTHERS, f"{told}, but was in none of its allowed groups"
        limits = [each.max_devices_per_user for each in licenses]
        held = self.devices.count(moment(grant), scope=(grant.license_id, grant.user_id))
        if grant.user_id != ERASED and all(limit is not None and held > limit for limit in limits):
            yield Kind.DEVICE_LIMIT_EXCEEDED, f"{told}, and had {held}, but may have {max(filter(None, limits))}"
        if (found := self._seat(grant, licenses, groups)) is not None:
            yield found

    def _seat(self, grant: Event, licenses: Sequence[License], groups: Sequence[Groups]) -> _Found | None:
        """Compare the seat with the one that the rule finds."""
        given = FreeSeat(pool=grant.details.get("pool"), is_overdraft=bool(grant.details.get("is_overdraft")))
        least = self.use.least(grant)
        if all(_is_full(each, given.pool, least) for each in licenses):
            return Kind.POOL_EXCEEDED, f"a seat of {_name(given)} of {grant.license_id} was granted, but none was free"
        if not groups and any(each.reservations for each in licenses):
            return None
        left = [
            (license_, use)
            for counted in self.use.possible(grant)
            for license_ in licenses
            for use in self._left(license_, counted, grant)
        ]
        if len(left) > _MOST_CHOICES:
            return None
        possible = {free_seat(license_, each, use) for license_, use in left for each in groups or ((),)}
        if not possible or given in possible or None in possible:
            return None  # without a free seat the cap was exceeded, and ``cap`` reports it
        due = " or ".join(sorted(f"{_name(each)}, {each.is_overdraft}" for each in possible if each is not None))
        message = f"the grant tells ({_name(given)}, overdraft {given.is_overdraft}), but due was ({due})"
        is_pool_due = any(each is not None and each.pool == given.pool for each in possible)
        return Kind.OVERDRAFT_MISTOLD if is_pool_due else Kind.WRONG_POOL, message

    def _left(self, license_: License, use: SeatUse, grant: Event) -> Sequence[SeatUse]:
        """The seats that may have been left by those who waited before. Each of them may have counted, or not."""
        left = [use]
        for place in self.places.get(grant.license_id, ()):
            if place.since > grant.at or place.until < grant.at or place.session_id == grant.session_id:
                continue
            choices = self.terms.groups(grant, since=place.since, user_id=place.user_id) or ((),)
            chosen = [free_seat(license_, groups, each) for each in left for groups in choices]
            taken = [_with(each, seat, license_) for each in left for seat in chosen if seat is not None]
            left = [*left, *(each for each in taken if each not in left)]
            if len(left) > _MOST_CHOICES:
                return left
        return left


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """A place in the line, which may have counted from ``since`` until then."""

    session_id: str | None
    user_id: str | None
    since: datetime
    until: datetime


def _places(history: History) -> Mapping[str | None, Sequence[_Place]]:
    """All places, by license, in their order."""
    ends: dict[str | None, list[datetime]] = defaultdict(list)
    for event in history.events:
        if event.type in {AuditType.GAVE_UP, AuditType.ACQUIRED}:
            ends[event.session_id].append(event.committed_at or NEVER)
    found: dict[str | None, list[_Place]] = defaultdict(list)
    for event in history.events:
        if event.type == AuditType.QUEUED:
            until = min((each for each in ends[event.session_id] if each >= event.at), default=NEVER)
            place = _Place(session_id=event.session_id, user_id=event.user_id, since=event.at, until=until)
            found[event.license_id].append(place)
    return {license_id: sorted(each, key=lambda place: place.since) for license_id, each in found.items()}


def _with(use: SeatUse, seat: FreeSeat, license_: License) -> SeatUse:
    pools: Mapping[tuple[str, str], int] = {} if seat.pool is None else {(license_.license_id, seat.pool): 1}
    return use.changed({license_.license_id: 1}, granted=0, pools=pools)


def _is_allowed(license_: License, groups: Groups) -> bool:
    return license_.allowed_groups is None or not license_.allowed_groups.isdisjoint(groups)


def _is_full(license_: License, pool: str | None, use: SeatUse) -> bool:
    """Whether a pool had no free seat. Without reservations there are no pools, and the cap alone counts."""
    if pool is not None and pool not in license_.reservations:
        return True
    overdraft = license_.overdraft_seats if pool is None else 0
    return any(each.in_use >= each.max_seats + overdraft for each in pools(license_, use) if each.group == pool)


def _name(seat: FreeSeat) -> str:
    return "the common pool" if seat.pool is None else f"the pool {seat.pool}"
