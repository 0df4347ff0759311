"""Faults sown into the history of a license with terms: one for each kind that only terms show, and more of others."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from infra.judge.history import History, Operation
from infra.judge.violation import Kind
from shared.edge.errors import Code
from shared.rules.audit import AuditType
from tests.infra.judge.mutations import TICK, changed, ends, only, starts, trail, with_details, with_edit
from tests.support.tenant import LICENSE_ID


def pool_exceeded(h: History) -> History:
    # Nothing is reserved for this group, so each of its seats is one too many.
    return with_details(trail(h), starts(h, "m4")[0], pool="others")


def wrong_pool(h: History) -> History:
    return with_edit(trail(h), "users", "m0", groups=["staff"])


def overdraft_not_marked(h: History) -> History:
    return with_details(trail(h), starts(h, "m3")[0], is_overdraft=False)


def overdraft_marked_too_soon(h: History) -> History:
    return with_details(trail(h), starts(h, "m1")[0], is_overdraft=True)


def device_limit_exceeded(h: History) -> History:
    return changed(trail(h), starts(h, "m2")[0], user_id="m1", actor="m1")


def granted_before_start(h: History) -> History:
    return with_edit(trail(h), "licenses", LICENSE_ID, starts_at=datetime(2199, 1, 1, tzinfo=UTC))


def granted_to_others(h: History) -> History:
    return with_edit(trail(h), "users", "m2", groups=["others"])


def expiry_mistold(h: History) -> History:
    return with_edit(trail(h), "licenses", LICENSE_ID, is_active=False)


def expiry_told_too_late(h: History) -> History:
    report = only(h, AuditType.LICENSE_EXPIRING)
    return changed(trail(h), report, at=report.details["expires_at"])


def refused_while_overdraft_was_free(h: History) -> History:
    denial = next(event for event in h.events if event.type == AuditType.DENIED)
    return with_details(trail(h), denial, last_attempt_at=starts(h, "m3")[0].at - TICK)


def refused_a_device_for_an_ended_session(h: History) -> History:
    def ended(body: dict[str, Any]) -> dict[str, Any]:
        sessions = [
            {**each, "session_id": starts(h, "m2")[0].session_id} for each in body["error"]["details"]["sessions"]
        ]
        return {**body, "error": {**body["error"], "details": {**body["error"]["details"], "sessions": sessions}}}

    requests = tuple(
        replace(each, body=ended(dict(each.body)))
        if each.body.get("error", {}).get("code") == Code.USER_DEVICE_LIMIT_REACHED
        else each
        for each in h.requests or ()
    )
    return replace(h, requests=requests)


def pool_counters_disagree(h: History) -> History:
    assert h.present is not None
    assert h.present.seats is not None
    fields = {**h.present.seats.fields, "by_pool": {}}
    return replace(h, present=replace(h.present, seats=replace(h.present.seats, fields=fields)))


def pool_mistold_by_usage(h: History) -> History:
    def one_less(body: dict[str, Any]) -> dict[str, Any]:
        (license_,) = body["licenses"]
        pools = [{**pool, "in_use": 0} for pool in license_["pools"]]
        return {**body, "licenses": [{**license_, "pools": pools}]}

    requests = tuple(
        replace(each, body=one_less(dict(each.body)))
        if each.operation is Operation.USAGE and each.user_id == "m0"
        else each
        for each in h.requests or ()
    )
    return replace(h, requests=requests)


def end_of_another_pool(h: History) -> History:
    return with_details(trail(h), ends(h, "m1")[0], pool="design")


SEEDED_TERMS: Sequence[tuple[Kind, Callable[[History], History]]] = (
    (Kind.POOL_EXCEEDED, pool_exceeded),
    (Kind.WRONG_POOL, wrong_pool),
    (Kind.OVERDRAFT_MISTOLD, overdraft_not_marked),
    (Kind.OVERDRAFT_MISTOLD, overdraft_marked_too_soon),
    (Kind.DEVICE_LIMIT_EXCEEDED, device_limit_exceeded),
    (Kind.GRANTED_BEFORE_START, granted_before_start),
    (Kind.GRANTED_TO_OTHERS, granted_to_others),
    (Kind.EXPIRY_MISTOLD, expiry_mistold),
    (Kind.EXPIRY_MISTOLD, expiry_told_too_late),
    (Kind.REFUSED_WHILE_FREE, refused_while_overdraft_was_free),
    (Kind.REFUSED_WHILE_FREE, refused_a_device_for_an_ended_session),
    (Kind.COUNTERS_DISAGREE, pool_counters_disagree),
    (Kind.USAGE_MISTOLD, pool_mistold_by_usage),
    (Kind.END_MISTOLD, end_of_another_pool),
)
