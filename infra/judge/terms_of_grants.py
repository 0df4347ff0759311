"""Each grant gave the seat that the license's terms allow: to this user, at this time, from this pool, with this mark.

The rules of ``shared/rules`` say which seat that is. An edit meanwhile makes several terms or groups possible, and an
end by hand several counts. A grant is a violation if it fits none of them. A user who holds a seat keeps it, whatever
admins edit, so only new grants are checked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.judge.admin_edits import AdminEdits
from infra.judge.history import Event, History
from infra.judge.occupancy import Occupancy
from infra.judge.pool_use import PoolUse
from infra.judge.tenure import Tenure, moment
from infra.judge.terms import Groups, Terms
from infra.judge.violation import Kind, Violation
from shared.rules.audit import ERASED, AuditType
from shared.rules.license import License
from shared.rules.pools import FreeSeat, free_seat, pools
from shared.rules.seat_use import SeatUse

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
        possible = {
            free_seat(license_, each, use)
            for use in self.use.possible(grant)
            for license_ in licenses
            for each in groups or ((),)
        }
        if not possible or given in possible or None in possible:
            return None  # without a free seat the cap was exceeded, and ``cap`` reports it
        due = " or ".join(sorted(f"{_name(each)}, {each.is_overdraft}" for each in possible if each is not None))
        message = f"the grant tells ({_name(given)}, overdraft {given.is_overdraft}), but due was ({due})"
        is_pool_due = any(each is not None and each.pool == given.pool for each in possible)
        return Kind.OVERDRAFT_MISTOLD if is_pool_due else Kind.WRONG_POOL, message


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
