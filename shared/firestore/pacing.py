"""When the next group of an organization begins: at once, unless it is known to pay to wait a moment.

A group costs a read and a commit, however many are in it. Two things that happened a moment ago are worth a wait
(``infra/decisions/0016-when-a-group-waits.md``):

* A group of several was committed, and now they come back, one after the other. The first of them waits until as many
  are there, but not long (``linger``).
* Another instance was faster with the same seats. The next attempt comes at a random moment, later after each
  collision in a row.
"""

import random

LINGER_SECONDS = 0.003
"""How long the first of a crowd waits for the others at most."""

CROWD_SECONDS = 0.1
"""How long after a group of several a request is taken for one of the same crowd."""

MAX_WAIT_SECONDS = 0.4
"""The longest wait after a collision: well within the time that a request has."""

_SHORTEST_SECONDS = 0.01
"""However quickly a collision is noticed, trying again over and over must not become all that is done."""


class Pace:
    """What the next group of one organization has to know of those before it. Times are those of the event loop."""

    def __init__(self, *, linger: float = LINGER_SECONDS) -> None:
        """``linger`` is in seconds."""
        self.linger = linger
        self._crowd_until = 0.0
        self._sizes = (0, 0)
        self._not_before = 0.0
        self._collisions = 0

    def seconds_to_wait(self, now: float) -> float:
        """How long a group should wait that could begin now."""
        return max(0.0, self._not_before - now)

    def crowd(self, now: float) -> int:
        """How many should be there when the next group begins, or ``linger`` is over; 0 when nobody is waited for."""
        # Of the last two: where two crowds take turns, the larger one must not be cut in two by the smaller.
        return max(self._sizes) if now < self._crowd_until else 0

    def done(self, size: int, *, now: float, has_written: bool) -> None:
        """Note that a group of this size has been answered, and whether it changed anything."""
        self._collisions = 0
        if has_written:
            self._sizes = (size, self._sizes[0])
            if size > 1:
                self._crowd_until = now + CROWD_SECONDS

    def collided(self, *, began: float, now: float) -> None:
        """Note that another instance was faster than a group, so that it has to be tried again."""
        self._collisions += 1
        longest = min(MAX_WAIT_SECONDS, self._collisions * max(now - began, _SHORTEST_SECONDS))
        # At random, so that instances which collided once do not collide again in step.
        self._not_before = now + random.uniform(0.0, longest)  # noqa: S311 nobody gains by guessing it
