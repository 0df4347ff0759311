"""The pace of groups: when the next one may begin. Times are made up; nothing here waits."""

import random

import pytest

from shared.firestore.pacing import CROWD_SECONDS, MAX_WAIT_SECONDS, Pace


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    random.seed(20_261_127)


def test_nothing_waits_after_one_that_came_alone() -> None:
    pace = Pace()

    pace.done(1, now=10.02, has_written=True)

    assert pace.seconds_to_wait(10.02) == 0
    assert pace.crowd(10.02) == 0


@pytest.mark.parametrize(("after", "crowd"), [(0.0, 7), (CROWD_SECONDS / 2, 7), (CROWD_SECONDS, 0)])
def test_a_crowd_is_waited_for_as_long_as_it_may_be_coming_back(after: float, crowd: int) -> None:
    pace = Pace()

    pace.done(7, now=10.5, has_written=True)

    assert pace.crowd(10.5 + after) == crowd
    assert pace.seconds_to_wait(10.5 + after) == 0


def test_the_crowd_is_as_large_as_the_larger_of_the_last_two_groups() -> None:
    pace, crowds = Pace(), []

    for size in (9, 4, 5, 1, 1):
        pace.done(size, now=10.02, has_written=True)
        crowds.append(pace.crowd(10.02))

    assert crowds == [9, 9, 5, 5, 1]


def test_a_crowd_that_was_given_nothing_is_not_waited_for() -> None:
    pace = Pace()

    pace.done(30, now=10.02, has_written=False)

    assert pace.crowd(10.02) == 0


def test_after_a_collision_the_next_attempt_comes_within_the_time_of_a_group() -> None:
    pace = Pace()

    pace.collided(began=10.0, now=10.03)

    assert 0 < pace.seconds_to_wait(10.03) <= 0.03


def test_the_more_collisions_in_a_row_the_longer_the_wait_may_be_but_not_beyond_a_limit() -> None:
    def waits(collisions: int) -> list[float]:
        pace = Pace()
        for _ in range(collisions):
            pace.collided(began=10.0, now=10.03)
        found = []
        for _ in range(50):
            pace.collided(began=10.0, now=10.03)
            found.append(pace.seconds_to_wait(10.03))
            assert found[-1] <= MAX_WAIT_SECONDS
        return found

    assert max(waits(0)[:3]) <= 0.09
    assert max(waits(100)) > 0.2


def test_after_a_group_that_was_written_a_collision_counts_as_the_first_again() -> None:
    pace = Pace()
    for _ in range(20):
        pace.collided(began=10.0, now=10.03)

    pace.done(5, now=11.0, has_written=True)
    pace.collided(began=11.0, now=11.03)

    assert pace.seconds_to_wait(11.03) <= 0.03


def test_however_slow_the_store_no_group_waits_longer_than_the_limit() -> None:
    pace = Pace()

    pace.collided(began=10.0, now=13.0)

    assert pace.seconds_to_wait(13.0) <= MAX_WAIT_SECONDS
