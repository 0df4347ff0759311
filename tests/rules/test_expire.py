"""Expire: a lapsed session ends although nobody asked for its seat."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.rules.expire import expire
from shared.rules.session import EndReason, Session, ended
from tests.rules.make import INSTANT, LEASE, NOW, a_session

LAPSES_AT = NOW + LEASE


@pytest.mark.parametrize("now", [NOW, LAPSES_AT - INSTANT])
def test_a_live_session_goes_on_up_to_the_last_instant_of_its_lease(now: datetime) -> None:
    session = a_session(started_at=NOW)

    changed = expire(session, now=now)

    assert changed is None


@pytest.mark.parametrize("now", [LAPSES_AT, LAPSES_AT + INSTANT, LAPSES_AT + timedelta(days=7)])
def test_a_lapsed_session_ends_as_expired_from_the_very_instant_its_lease_expires(now: datetime) -> None:
    session = a_session(started_at=NOW)

    changed = expire(session, now=now)

    assert changed == replace(session, ended_at=now, end_reason=EndReason.EXPIRED)


def test_a_heartbeat_counts_and_not_the_start() -> None:
    kept = replace(a_session(started_at=NOW), lease_expires_at=LAPSES_AT + INSTANT)

    changed = expire(kept, now=LAPSES_AT)

    assert changed is None


@pytest.mark.parametrize(
    "session",
    [
        *(pytest.param(ended(a_session(), reason=reason, now=NOW + INSTANT), id=reason) for reason in EndReason),
        pytest.param(replace(a_session(), ended_at=NOW + INSTANT), id="by hand"),
    ],
)
def test_a_session_that_has_ended_is_not_ended_again(session: Session) -> None:
    long_after = LAPSES_AT + timedelta(days=7)

    changed = expire(session, now=long_after)

    assert changed is None
