"""Answers of ``usage`` agree with the trail at the same instant: the seats in use, and the caller's own sessions.

::

    tenure      opens_from   opens_at   answered   its first lease's end     closes_from    closes_by
    at least                            |- counts -|
    at most     |-- counts ----------------------------------------------- unless it lapsed ---|

Heartbeats are not events, and a heartbeat decided in time may be committed after the lease ran out. So only the grant's
own lease is certain. And a seat is certainly listed only after its holder got the answer. One report of 1,605 (seed
105, just after a restart of the store) counted a seat whose grant was not answered yet, but did not list it, although
both queries had the same read time. It did not happen again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.judge.acknowledged_leases import OK, Lease
from infra.judge.admin_edits import AdminEdits
from infra.judge.history import Acknowledged, History, Operation
from infra.judge.occupancy import Occupancy
from infra.judge.tenure import ALWAYS, Tenure
from infra.judge.violation import Kind, Violation

_Key = tuple[str, str, datetime]
"""A session, its license, and the beginning of the tenure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Life:
    """A tenure, and the time in which it was certainly live. ``until`` is ``ALWAYS`` if that is not known."""

    tenure: Tenure
    since: datetime
    until: datetime

    @property
    def key(self) -> _Key:
        return self.tenure.session_id, self.tenure.license_id, self.tenure.started_at

    def is_certainly_live(self, at: datetime) -> bool:
        return self.since <= at < self.until

    def may_be_live(self, at: datetime) -> bool:
        return self.tenure.opens_from <= at < self.tenure.live_until


def violations(history: History, tenures: Sequence[Tenure], leases: Sequence[Lease]) -> Iterator[Violation]:
    """Check each report. Sessions that admins reopened or created are not in the trail, so then nothing is checked."""
    admin_edits = AdminEdits(history.edits)
    if not admin_edits.known or admin_edits.changed_any:
        return
    lives = list(_lives(tenures, leases))
    at_most = Occupancy((each.license_id, each.opens_from, each.live_until) for each in tenures)
    at_least = Occupancy((each.tenure.license_id, each.since, each.until) for each in lives)
    # Totals are of live sessions; pools still count those whose lease has run out.
    held_at_least = Occupancy((each.scope, each.opens_at, each.closes_from) for each in tenures)
    held_at_most = Occupancy((each.scope, each.opens_from, each.closes_by) for each in tenures)
    of_user: dict[str, dict[_Key, _Life]] = defaultdict(dict)
    for each in lives:
        of_user[each.tenure.user_id][each.key] = each
    for request in history.requests or ():
        if request.operation is not Operation.USAGE or request.status != OK:
            continue
        at = datetime.fromisoformat(request.body["server_time"])
        if history.begins_at is not None and at <= history.begins_at:
            continue
        for message in (
            *_totals(request.body, at, at_least, at_most),
            *_pools(request.body, at, held_at_least, held_at_most),
            *_sessions(request, at, of_user[request.user_id]),
        ):
            yield Violation(kind=Kind.USAGE_MISTOLD, organization_id=history.organization_id, at=at, message=message)


def _lives(tenures: Sequence[Tenure], leases: Sequence[Lease]) -> Iterator[_Life]:
    grants = {(lease.session_id, lease.at): lease for lease in leases if lease.is_grant}
    for tenure in tenures:
        grant = grants.get((tenure.session_id, tenure.started_at))
        if grant is None or not tenure.starts or any(start.committed_at is None for start in tenure.starts):
            yield _Life(tenure=tenure, since=tenure.opens_at, until=ALWAYS)
        else:
            since = max(tenure.opens_at, grant.answered_at)
            yield _Life(tenure=tenure, since=since, until=min(tenure.closes_from, grant.expires_at))


def _totals(body: Mapping[str, Any], at: datetime, at_least: Occupancy, at_most: Occupancy) -> Iterator[str]:
    told = [(each["license_id"], each["in_use"]) for each in body["licenses"]]
    for license_id, in_use in (*told, (None, body["organization"]["in_use"])):
        least, most = (bound.count(at, scope=license_id) for bound in (at_least, at_most))
        if not least <= in_use <= most:
            yield f"usage reported {in_use} seats of {license_id or 'all licenses'}, but {least} to {most} were in use"


def _pools(body: Mapping[str, Any], at: datetime, at_least: Occupancy, at_most: Occupancy) -> Iterator[str]:
    """Check the reserved seats. What a group holds beyond its reservation counts as common."""
    for license_ in body["licenses"]:
        for pool in license_.get("pools", ()):
            scope, most = (license_["license_id"], pool["group"]), pool["max"]
            bounds = [min(most, bound.count(at, scope=scope)) for bound in (at_least, at_most)]
            if pool["group"] is not None and not bounds[0] <= pool["in_use"] <= bounds[1]:
                told = f"{pool['in_use']} seats of {scope[0]} for {scope[1]}"
                yield f"usage reported {told}, but {bounds[0]} to {bounds[1]} were in use"


def _sessions(request: Acknowledged, at: datetime, own: Mapping[_Key, _Life]) -> Iterator[str]:
    """Find sessions that the report shows but the caller did not hold, and the other way round."""
    shown = {
        (view["session_id"], license_["license_id"], datetime.fromisoformat(view["started_at"]))
        for license_ in request.body["licenses"]
        for view in license_["sessions"]
        if view["user_id"] == request.user_id
    }
    for key in shown:
        if key not in own or not own[key].may_be_live(at):
            yield f"usage showed {request.user_id} the session {key[0]}, which was not in use"
    if request.body["next_page_token"] is None:
        for key in own.keys() - shown:
            if own[key].is_certainly_live(at):
                yield f"usage did not show {request.user_id} the session {key[0]}, which was in use"
