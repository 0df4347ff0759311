"""Faults sown into the history of a license that lends seats, and of a user who was kept out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from infra.judge.history import Event, History
from infra.judge.violation import Kind
from shared.rules.audit import AuditType
from tests.infra.judge.mutations import (
    TICK,
    changed,
    ends,
    trail,
    with_details,
    with_edit,
    with_events,
    with_sessions,
    without,
)
from tests.support.tenant import LICENSE_ID


def borrows(h: History, user_id: str) -> list[Event]:
    """The borrows of a user, the first first."""
    found = (each for each in h.events if (each.type, each.user_id) == (AuditType.BORROWED, user_id))
    return sorted(found, key=lambda each: each.at)


def _licensed(h: History, **fields: object) -> History:
    return with_edit(trail(h), "licenses", LICENSE_ID, **fields)


def lent_by_none(h: History) -> History:
    return _licensed(h, max_borrow_seconds=0)


def borrowed_for_too_long(h: History) -> History:
    return _licensed(h, max_borrow_seconds=60)


def borrowed_past_the_end(h: History) -> History:
    return _licensed(h, expires_at=borrows(h, "m0")[0].at + timedelta(minutes=9))


def one_borrowed_too_many(h: History) -> History:
    return _licensed(h, max_borrowed_seats=1)


def borrowed_for_less(h: History) -> History:
    first, second = borrows(h, "m0")
    return with_details(trail(h), first, borrowed_until=second.details["borrowed_until"])


def end_of_a_lease_cut_short(h: History) -> History:
    (end,), (*_, borrow) = ends(h, "m0"), borrows(h, "m0")
    return with_details(trail(h), end, lease_expires_at=borrow.details["borrowed_until"] - TICK)


def lease_of_a_session_cut_short(h: History) -> History:
    return _with_session(h, "m2", lease_expires_at=borrows(h, "m2")[0].details["borrowed_until"] - TICK)


def answered_with_a_shorter_lease(h: History) -> History:
    beat = next(n for n, each in enumerate(h.requests or ()) if each.operation == "heartbeat")
    requests = list(h.requests or ())
    told = (borrows(h, "m2")[0].details["borrowed_until"] - TICK).isoformat()
    requests[beat] = replace(requests[beat], body={**requests[beat].body, "lease_expires_at": told})
    return replace(h, requests=tuple(requests))


def session_that_says_of_no_borrow(h: History) -> History:
    return _with_session(h, "m2", borrowed_until=None)


def overhang_not_told(h: History) -> History:
    return with_details(trail(h), ends(h, "m1")[0], overhang_until=None)


def overhang_of_a_seat_given_back(h: History) -> History:
    return with_details(trail(h), ends(h, "m0")[0], overhang_until=borrows(h, "m0")[-1].details["borrowed_until"])


def acknowledged_borrow_lost(h: History) -> History:
    requests = tuple(
        replace(each, body={**each.body, "borrowed_until": each.body["lease_expires_at"][:-4] + "001Z"})
        if (each.user_id, each.status) == ("m1", 201) and each.body["borrowed_until"] is not None
        else each
        for each in h.requests or ()
    )
    return replace(h, requests=requests)


def number_of_a_borrow_missing(h: History) -> History:
    return without(trail(h), borrows(h, "m0")[0])


def number_of_a_borrow_twice(h: History) -> History:
    first = borrows(h, "m0")[0]
    until = first.details["borrowed_until"] + TICK
    return with_events(trail(h), replace(first, event_id="again", details={**first.details, "borrowed_until": until}))


def borrow_out_of_order(h: History) -> History:
    first, second = borrows(h, "m0")
    return changed(trail(h), first, committed_at=second.at + TICK)


def granted_to_a_user_who_was_kept_out(h: History) -> History:
    return replace(trail(h), edits=tuple(each for each in h.edits or () if each.collection != "users"))


def _with_session(h: History, user_id: str, **fields: object) -> History:
    return with_sessions(
        trail(h),
        lambda sessions: [
            replace(each, fields={**each.fields, **fields}) if each.fields["user_id"] == user_id else each
            for each in sessions
        ],
    )


SEEDED_BORROWING: Sequence[tuple[Kind, Callable[[History], History]]] = (
    (Kind.NOT_LENT, lent_by_none),
    (Kind.BORROWED_TOO_LONG, borrowed_for_too_long),
    (Kind.BORROWED_TOO_LONG, borrowed_past_the_end),
    (Kind.BORROWED_SEATS_EXCEEDED, one_borrowed_too_many),
    (Kind.BORROWED_FOR_LESS, borrowed_for_less),
    (Kind.BORROW_CUT_SHORT, end_of_a_lease_cut_short),
    (Kind.BORROW_CUT_SHORT, lease_of_a_session_cut_short),
    (Kind.BORROW_CUT_SHORT, answered_with_a_shorter_lease),
    (Kind.BORROW_MISTOLD, session_that_says_of_no_borrow),
    (Kind.END_MISTOLD, overhang_not_told),
    (Kind.END_MISTOLD, overhang_of_a_seat_given_back),
    (Kind.ACKNOWLEDGED_BORROW_LOST, acknowledged_borrow_lost),
    (Kind.GRANT_MISSING, number_of_a_borrow_missing),
    (Kind.GRANT_TWICE, number_of_a_borrow_twice),
    (Kind.GRANT_OUT_OF_ORDER, borrow_out_of_order),
    (Kind.GRANTED_WHILE_KEPT_OUT, granted_to_a_user_who_was_kept_out),
)
