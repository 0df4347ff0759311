"""The pace of groups: when the next one may begin. Times are made up; nothing here waits."""

import random

import pytest

from shared.store.pace import CROWD_SECONDS, MAX_APART_SECONDS, Pace


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    random.seed(20_261_127)


def test_nothing_waits_after_one_that_came_alone() -> None:
    pace = Pace()

    pace.done(1, began=10.0, now=10.02, has_written=True)

    assert pace.seconds_to_wait(10.02) == 0
    assert pace.crowd(10.02) == 0


@pytest.mark.parametrize(("after", "crowd"), [(0.0, 7), (CROWD_SECONDS / 2, 7), (CROWD_SECONDS, 0)])
def test_a_crowd_is_waited_for_as_long_as_it_may_be_coming_back(after: float, crowd: int) -> None:
    pace = Pace()

    pace.done(7, began=10.0, now=10.5, has_written=True)

    assert pace.crowd(10.5 + after) == crowd
    assert pace.seconds_to_wait(10.5 + after) == 0


def test_the_crowd_is_as_large_as_the_larger_of_the_last_two_groups() -> None:
    pace, crowds = Pace(), []

    for size in (9, 4, 5, 1, 1):
        pace.done(size, began=10.0, now=10.02, has_written=True)
        crowds.append(pace.crowd(10.02))

    assert crowds == [9, 9, 5, 5, 1]


def test_a_crowd_that_was_given_nothing_is_not_waited_for() -> None:
    pace = Pace()

    pace.done(30, began=10.0, now=10.02, has_written=False)

    assert pace.crowd(10.02) == 0


def test_after_a_collision_the_next_attempt_comes_within_the_time_of_a_group_and_the_next_group_with_room_between() -> (
    None
):
    pace = Pace()

    pace.collided(began=10.0, now=10.03)
    assert 0 < pace.seconds_to_wait(10.03) <= 0.03
    pace.done(5, began=10.05, now=10.07, has_written=True)

    # Twice the 30 ms of what collided, less what 40 ms without a collision allow.
    assert 0.05 + 10.0 < 10.05 + pace.seconds_to_wait(10.05) < 10.0 + 0.05 + 0.06


def test_the_more_collisions_in_a_row_the_longer_the_wait_may_be_but_not_beyond_a_limit() -> None:
    def waits(collisions: int) -> list[float]:
        pace = Pace()
        for _ in range(collisions):
            pace.collided(began=10.0, now=10.03)
        found = []
        for _ in range(50):
            pace.collided(began=10.0, now=10.03)
            found.append(pace.seconds_to_wait(10.03))
            assert found[-1] <= MAX_APART_SECONDS
        return found

    assert max(waits(0)[:3]) <= 0.09
    assert max(waits(100)) > 0.2


def test_without_further_collisions_groups_come_to_follow_at_once_again() -> None:
    pace, now = Pace(), 10.0
    for _ in range(20):
        pace.collided(began=now, now=now + 0.03)
    apart = []
    for _ in range(500):
        began = now + pace.seconds_to_wait(now)
        now = began + 0.01
        pace.done(1, began=began, now=now, has_written=True)
        apart.append(pace.seconds_to_wait(now))

    assert apart[0] > 0.1
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] == 0
    assert now < 10.0 + 60


def test_however_slow_the_store_no_group_waits_longer_than_the_limit() -> None:
    pace = Pace()

    pace.collided(began=10.0, now=13.0)
    assert pace.seconds_to_wait(13.0) <= MAX_APART_SECONDS
    pace.done(2, began=13.0, now=13.01, has_written=True)

    assert 0.2 < pace.seconds_to_wait(13.0) <= MAX_APART_SECONDS


def _play(instances: int, *, seconds: float) -> tuple[list[int], int]:
    """Let instances that always have something to do work on the same seats: 10 to 30 ms for each attempt.

    Whoever's attempt has another one's commit in it collides. Returns the commits of each, and the collisions.
    """

    def attempt(begins: float) -> tuple[float, float]:
        return begins + random.uniform(0.01, 0.03), begins  # noqa: S311 made-up durations

    paces = [Pace() for _ in range(instances)]
    attempts = [attempt(0.001 * number) for number in range(instances)]
    committed, collisions, last_commit = [0] * instances, 0, -1.0
    while True:
        who = attempts.index(min(attempts))
        now, began = attempts[who]
        if now > seconds:
            return committed, collisions
        if began < last_commit:
            collisions += 1
            paces[who].collided(began=began, now=now)
        else:
            last_commit = now
            committed[who] += 1
            paces[who].done(4, began=began, now=now, has_written=True)
        attempts[who] = attempt(now + paces[who].seconds_to_wait(now))


def test_four_instances_come_to_take_turns_that_are_about_even() -> None:
    committed, collisions = _play(4, seconds=60)

    assert sum(committed) > 0.5 * 60 / 0.02, "half of the time that the seats could be worked on at least"
    assert min(committed) > 0.5 * max(committed)
    assert collisions < 1.5 * sum(committed), "without turns each commit makes three others collide"


def test_an_instance_that_is_alone_loses_nothing() -> None:
    committed, collisions = _play(1, seconds=60)

    assert collisions == 0
    assert committed[0] > 0.95 * 60 / 0.02
