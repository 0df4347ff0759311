"""Standing: all that a program knows about its seat, and the state that follows. Pure."""

import math
from dataclasses import dataclass, replace
from typing import Any

from seatlease.errors import SeatleaseError, SessionIdle, SessionLost, SessionRevoked
from seatlease.lease import AT_WORK, Lease, State


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Replaced as a whole, never changed, so any thread may read it at any time.

    ``missed`` counts the heartbeats in a row that were not answered. ``over`` is the end that the service or this
    program reported. An end by the clock alone is not in it, because an answer may still say otherwise. ``trouble`` is
    the latest error that counts.
    """

    lease: Lease | None = None
    missed: int = 0
    over: State | None = None
    trouble: SeatleaseError | None = None

    def state(self, *, at: float) -> State:
        """Give the state ``at`` a reading of ``seatlease._service.clock.elapsed``."""
        # At the exact instant of an end it has ended, as for the service.
        #
        #   |  ACTIVE; after a missed heartbeat DEGRADED  |    DEGRADED    |   LOST
        # asked_at                                   lease's end       grace's end
        if self.over is not None:
            return self.over
        if self.lease is None:
            return State.NOT_ACQUIRED
        if at >= self.lease.grace_ends_at_elapsed:
            return State.LOST
        if at < self.lease.borrowed_until_elapsed:  # it needs no heartbeat
            return State.ACTIVE
        if self.missed or at >= self.lease.expires_at_elapsed:
            return State.DEGRADED
        return State.ACTIVE

    def next_change_at(self, *, after: float) -> float:
        """Say when the clock alone will next change the state; infinity if never."""
        if self.over is not None or self.lease is None:
            return math.inf
        lease = self.lease
        ends = (lease.borrowed_until_elapsed, lease.expires_at_elapsed, lease.grace_ends_at_elapsed)
        return min((end for end in ends if end > after), default=math.inf)

    def missed_one(self, trouble: SeatleaseError) -> "Standing":
        return replace(self, missed=self.missed + 1, trouble=trouble)

    def ended(self, over: State, trouble: SeatleaseError | None = None) -> "Standing":
        return replace(self, over=over, trouble=trouble)

    def check(self, *, at: float) -> None:
        """Return while work may go on.

        Raises:
            SessionRevoked: an admin ended it.
            SessionIdle: the user had done nothing for too long.
            SessionLost: there is no seat, or no longer one.
        """
        state = self.state(at=at)
        if state in AT_WORK:
            return
        # The trouble itself is not raised: one exception object, raised in several threads, collects their tracebacks.
        known = {} if self.trouble is None else _told_by(self.trouble)
        if state is State.REVOKED:
            message = self.trouble.message if self.trouble else "Your session was ended."
            raise SessionRevoked(message, **known) from self.trouble
        if state is State.IDLE:
            raise SessionIdle(_LOST[state], **known) from self.trouble
        raise SessionLost(_LOST[state], **known) from self.trouble


_LOST = {
    State.NOT_ACQUIRED: "No seat was acquired yet.",
    State.RELEASED: "The seat was given back.",
    State.IDLE: "Your seat was given back because you had done nothing for a while.",
    State.LOST: "Your seat was lost: the license service could not be reached in time, or the seat was given back.",
}


def _told_by(trouble: SeatleaseError) -> dict[str, Any]:
    return {"code": trouble.code, "request_id": trouble.request_id, "details": trouble.details}
