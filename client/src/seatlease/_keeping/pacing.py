"""Pacing: when the next request is due. Pure, except for random numbers."""

import random
from datetime import datetime, timedelta

from seatlease.lease import Lease

TRIES_PER_LEASE = 3
"""At least this many heartbeats fall within a lease, whatever interval the service names."""

FIRST_PAUSE_SECONDS = 1.0
"""The mean pause before the second try is half of this. It doubles with each try."""

LONGEST_WAIT_SECONDS = 60.0
"""The longest pause while waiting for a service that does not answer."""

SHORTEST_WAIT_SECONDS = 1.0
"""The shortest pause before the last try of a wait."""

LONGEST_IN_LINE = timedelta(hours=3, minutes=55)
"""The service takes four hours at most, by its own clock. Who waits for longer asks for more time on the way."""

_JITTER = 0.1
_MOST_DOUBLINGS = 20


def interval_seconds(lease: Lease) -> float:
    """Give the longest time between two heartbeats."""
    lease_seconds = (lease.lease_expires_at - lease.server_time).total_seconds()
    return max(0.1, min(lease.heartbeat_interval.total_seconds(), lease_seconds / TRIES_PER_LEASE))


def next_heartbeat_at(lease: Lease) -> float:
    """Say when the next heartbeat is due after an answer: up to a tenth early, so that clients spread out."""
    share = random.uniform(1 - _JITTER, 1)  # noqa: S311 spreading load, no secret
    return lease.asked_at + interval_seconds(lease) * share


def next_try_at(lease: Lease, *, missed: int, now: float, retry_after: timedelta | None) -> float:
    """Say when to try again after ``missed`` tries in a row: exponential backoff with full jitter.

    ``retry_after`` of the service is honoured, but never beyond the interval. So each lease has at least three tries,
    also if the service asks for a longer pause.
    """
    longest = interval_seconds(lease)
    pause = random.uniform(0, min(longest, _backoff_seconds(missed)))  # noqa: S311 as above
    if retry_after is not None:
        pause = max(pause, min(longest, retry_after.total_seconds()))
    return now + pause


def wait_seconds(retry_after: timedelta) -> float:
    """Say how long to wait before asking for a seat again: as long as the service asks, and up to a quarter more."""
    return retry_after.total_seconds() * random.uniform(1, 1.25)  # noqa: S311 as above


def wait_unreachable_seconds(retry_after: timedelta | None, *, tries: int) -> float:
    """Say how long to wait for a service that does not answer, after this many tries."""
    longest = min(LONGEST_WAIT_SECONDS, _backoff_seconds(tries))
    if retry_after is not None:  # at least the first pause: a proxy may ask for none
        return max(FIRST_PAUSE_SECONDS / 2, wait_seconds(retry_after))
    return random.uniform(longest / 2, longest)  # noqa: S311 as above


def within_wait(pause: float, *, left: float) -> float:
    """Cut a pause to the time that is ``left`` to wait: the last try comes at its end.

    It may come sooner than the service asks: one request for each wait, at least a second after the one before.
    """
    return min(pause, max(left, SHORTEST_WAIT_SECONDS))


def line_until(before: datetime | None, *, left: float, now: datetime) -> datetime | None:
    """Say until when to wait in the line. The time stays the same as long as it serves: a new one has to be written.

    ``None`` for the last try: its answer is to say why there is no seat.
    """
    if left <= SHORTEST_WAIT_SECONDS:
        return None
    if before is not None and (before > now + LONGEST_IN_LINE / 2 or before >= now + timedelta(seconds=left - 1)):
        return before
    return now + min(timedelta(seconds=left), LONGEST_IN_LINE)


def _backoff_seconds(tries: int) -> float:
    return FIRST_PAUSE_SECONDS * 2.0 ** min(max(tries - 1, 0), _MOST_DOUBLINGS)
