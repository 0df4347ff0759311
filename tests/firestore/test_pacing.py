"""The pace of groups: when the next one may begin. Times are made up; nothing here waits."""

import random
from collections.abc import Sequence

import pytest

from shared.firestore.pacing import CROWD_SECONDS, MAX_APART_SECONDS, Pace


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

    pace.collided(5, began=10.0, now=10.03)
    assert 0 < pace.seconds_to_wait(10.03) <= 0.03
    pace.done(5, began=10.05, now=10.07, has_written=True)

    # Twice the 30 ms of what collided, less what 40 ms without a collision allow.
    assert 0.05 + 10.0 < 10.05 + pace.seconds_to_wait(10.05) < 10.0 + 0.05 + 0.06


def test_the_more_collisions_in_a_row_the_longer_the_wait_may_be_but_not_beyond_a_limit() -> None:
    def waits(collisions: int) -> list[float]:
        pace = Pace()
        for _ in range(collisions):
            pace.collided(5, began=10.0, now=10.03)
        found = []
        for _ in range(50):
            pace.collided(5, began=10.0, now=10.03)
            found.append(pace.seconds_to_wait(10.03))
            assert found[-1] <= MAX_APART_SECONDS
        return found

    assert max(waits(0)[:3]) <= 0.09
    assert max(waits(100)) > 0.2


def test_without_further_collisions_groups_come_to_follow_at_once_again() -> None:
    pace, now = Pace(), 10.0
    for _ in range(20):
        pace.collided(5, began=now, now=now + 0.03)
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


def test_who_goes_on_losing_tries_half_as_many_each_time_but_not_fewer_than_take_as_long_anyway() -> None:
    pace, tried = Pace(), [100]

    for _ in range(9):
        pace.collided(tried[-1], began=10.0, now=10.03)
        tried.append(min(100, pace.at_most))

    assert tried == [100, 100, 100, 100, 100, 50, 25, 12, 8, 8]


def test_once_nobody_was_faster_groups_are_as_large_as_they_come() -> None:
    pace = Pace()
    for _ in range(5):
        pace.collided(100, began=10.0, now=10.03)

    pace.done(50, began=10.05, now=10.07, has_written=True)

    assert pace.at_most > 10_000


def test_however_slow_the_store_no_group_waits_longer_than_the_limit() -> None:
    pace = Pace()

    pace.collided(5, began=10.0, now=13.0)
    assert pace.seconds_to_wait(13.0) <= MAX_APART_SECONDS
    pace.done(2, began=13.0, now=13.01, has_written=True)

    assert 0.2 < pace.seconds_to_wait(13.0) <= MAX_APART_SECONDS


def _play(sizes: Sequence[int], *, seconds: float) -> tuple[list[int], int]:
    """Let instances that always have so many requests to decide work on the same seats: 10 to 30 ms for each attempt at
    eight at most, and in proportion for more.

    Whoever's attempt has another one's commit in it collides. Returns what each has decided, and the collisions.
    """
    paces = [Pace() for _ in sizes]

    def attempt(who: int, *, begins: float) -> tuple[float, float, int]:
        size = min(sizes[who], paces[who].at_most)
        return begins + random.uniform(0.01, 0.03) * max(1.0, size / 8), begins, size  # noqa: S311 made-up durations

    attempts = [attempt(who, begins=0.001 * who) for who in range(len(sizes))]
    decided, collisions, last_commit = [0] * len(sizes), 0, -1.0
    while True:
        who = attempts.index(min(attempts))
        now, began, size = attempts[who]
        if now > seconds:
            return decided, collisions
        if began < last_commit:
            collisions += 1
            paces[who].collided(size, began=began, now=now)
        else:
            last_commit = now
            decided[who] += size
            paces[who].done(size, began=began, now=now, has_written=True)
        attempts[who] = attempt(who, begins=now + paces[who].seconds_to_wait(now))


def test_four_instances_come_to_take_turns_that_are_about_even() -> None:
    decided, collisions = _play([4] * 4, seconds=60)

    commits = sum(decided) / 4
    assert commits > 0.5 * 60 / 0.02, "half of the time that the seats could be worked on at least"
    assert min(decided) > 0.5 * max(decided)
    assert collisions < 1.5 * commits, "without turns each commit makes three others collide"


def test_large_groups_are_not_starved_by_small_ones() -> None:
    (large, *_), _ = _play([100, 4, 4, 4], seconds=60)

    assert large > 60, "all at once it takes so long that it never wins"


def test_an_instance_that_is_alone_loses_nothing() -> None:
    (decided,), collisions = _play([4], seconds=60)

    assert collisions == 0
    assert decided > 0.95 * 4 * 60 / 0.02
