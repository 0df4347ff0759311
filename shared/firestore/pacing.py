"""When the next group of an organization begins: at once, unless it is known to pay to wait a moment.

A group costs a read and a commit, however many are in it. Two things that happened a moment ago are worth a wait, and
the second of them a smaller group (``infra/decisions/0016-when-a-group-waits.md``):

* a group of several was committed, and now they come back, one after the other: the first of them waits until as many
  are there, but not long (``linger``);
* another instance was faster with the same seats: until nobody is any more, groups begin some time apart, so that the
  instances come to take turns. Whoever collides leaves more time; without collisions it becomes less, for all alike.
  Who goes on losing tries with half as many: a large group takes longer, and small ones could starve it.

::

    instance A   |-group-|               |-group-|
    instance B           |-group-|               |-group-|
    apart        <---------------------->
"""

import random
import sys

LINGER_SECONDS = 0.003
"""How long the first of a crowd waits for the others at most."""

CROWD_SECONDS = 0.1
"""How long after a group of several whoever comes is taken for one of the same crowd."""

MAX_APART_SECONDS = 0.4
"""However many instances there are: well within the time that a request has."""

_AT_LEAST = 2.0
"""Groups are apart at least so many times what the group took that collided: there is room for one of another one."""

_FURTHER = 1.25
"""So much further apart are groups after a collision."""

_FASTER = 0.4
"""With every second so much more of the rate is allowed at which groups like the last one can follow each other. Added
to the rate and not to the time between them, with the same for all, it evens out who has more turns and who has less,
as it does for senders in a network.
"""

_TOO_SMALL_SECONDS = 0.002
"""Groups that need not be further apart than this need not be apart."""

_STARVING = 5
"""Who lost so often in a row tries with fewer."""

_AT_LEAST_TOGETHER = 8
"""So few take hardly longer than one."""

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
        self._apart = 0.0
        self._apart_since = 0.0
        self._collisions = 0
        self.at_most = sys.maxsize
        """How many may be in the next group."""

    def seconds_to_wait(self, now: float) -> float:
        """How long a group should wait that could begin now."""
        return max(0.0, self._not_before - now)

    def crowd(self, now: float) -> int:
        """How many should be there when the next group begins, or ``linger`` is over; 0 when nobody is waited for."""
        # Of the last two: where two crowds take turns, the larger one must not be cut in two by the smaller.
        return max(self._sizes) if now < self._crowd_until else 0

    def done(self, size: int, *, began: float, now: float, has_written: bool) -> None:
        """Note that a group of this size has been answered, and whether it changed anything."""
        self._collisions, self.at_most = 0, sys.maxsize
        if has_written:
            self._sizes = (size, self._sizes[0])
            if size > 1:
                self._crowd_until = now + CROWD_SECONDS
            if self._apart:
                took = max(now - began, _TOO_SMALL_SECONDS)
                faster = 1.0 / self._apart + _FASTER / took * (now - self._apart_since)
                self._apart = 1.0 / faster if faster < 1.0 / _TOO_SMALL_SECONDS else 0.0
                self._apart_since = now
            self._not_before = began + self._apart

    def collided(self, size: int, *, began: float, now: float) -> None:
        """Note that another one was faster than a group of this size, so that it has to be tried again."""
        took = now - began
        if not self._apart:
            self._apart_since = now
        self._apart = min(MAX_APART_SECONDS, max(_AT_LEAST * took, _FURTHER * self._apart))
        self._collisions += 1
        if self._collisions >= _STARVING:
            self.at_most = max(_AT_LEAST_TOGETHER, size // 2)
        longest = min(MAX_APART_SECONDS, self._collisions * max(took, _SHORTEST_SECONDS))
        # At random, so that instances which collided once do not collide again in step.
        self._not_before = now + random.uniform(0.0, longest)  # noqa: S311 nobody gains by guessing it
