"""When the next request is due: often enough for three tries per lease, and never sooner than asked to."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatlease._keeping.pacing import (
    interval_seconds,
    next_heartbeat_at,
    next_try_at,
    wait_seconds,
    wait_unreachable_seconds,
    within_wait,
)
from tests.client.keeping.test_standing import lease

LASTS = st.floats(3, 86_400)


@given(lasts=LASTS)
def test_heartbeats_are_due_within_a_third_of_the_lease_and_spread_over_a_tenth_of_it(lasts: float) -> None:
    granted = lease(lasts=lasts)

    due_in = next_heartbeat_at(granted) - granted.asked_at

    assert 0.9 * lasts / 3 <= due_in + 1e-6
    assert due_in <= lasts / 3 + 1e-6


def test_an_interval_that_a_service_names_too_long_is_cut_to_a_third_of_the_lease() -> None:
    granted = lease(lasts=30)
    object.__setattr__(granted, "heartbeat_interval", timedelta(hours=1))

    assert interval_seconds(granted) == 10


@given(lasts=LASTS, retry_after=st.one_of(st.none(), st.floats(0, 100_000)))
def test_when_nothing_answers_there_are_three_tries_in_every_lease(lasts: float, retry_after: float | None) -> None:
    granted = lease(lasts=lasts)
    wanted = None if retry_after is None else timedelta(seconds=retry_after)
    now, tries = next_heartbeat_at(granted), 0

    while now < granted.expires_at_elapsed and tries < 3:
        tries += 1
        now = next_try_at(granted, missed=tries, now=now, retry_after=wanted)

    assert tries >= 3 or granted.expires_at_elapsed - now < 1e-6


@given(missed=st.integers(1, 10_000))
def test_pauses_grow_and_end_at_the_interval(missed: int) -> None:
    granted = lease(lasts=360)

    pause = next_try_at(granted, missed=missed, now=0.0, retry_after=None)

    assert 0 <= pause <= min(120, 2.0 ** min(missed - 1, 20))


def test_the_services_wish_is_honoured() -> None:
    for _ in range(50):
        assert next_try_at(lease(lasts=360), missed=1, now=0.0, retry_after=timedelta(seconds=50)) >= 50


@given(seconds=st.integers(1, 3600))
def test_who_waits_for_a_seat_never_asks_sooner_than_told_and_at_most_a_quarter_later(seconds: int) -> None:
    assert seconds <= wait_seconds(timedelta(seconds=seconds)) <= 1.25 * seconds


@given(pause=st.floats(1, 3600), left=st.floats(0, 5000))
def test_the_last_try_comes_at_the_end_of_the_wait_and_a_second_after_the_one_before(pause: float, left: float) -> None:
    cut = within_wait(pause, left=left)

    assert cut >= 1
    assert cut == pause or cut == max(left, 1)
    assert cut <= max(left, 1)


@pytest.mark.parametrize("tries", [1, 2, 7, 1000])
def test_who_waits_for_a_service_that_is_away_asks_every_minute_at_least_and_does_not_hammer(tries: int) -> None:
    for _ in range(50):
        assert 0.5 <= wait_unreachable_seconds(None, tries=tries) <= 60
