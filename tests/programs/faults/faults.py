"""The kinds of faults and edits."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """One for each thing that is done to the running service."""

    STORE_PAUSED = "store paused"
    STORE_RESTARTED = "store killed, back from its export"
    STORE_CUT = "connections to the store cut"
    STORE_SLOW = "connections to the store slow"
    ANSWERS_LOST = "answers of the store lost"
    TOPIC_DOWN = "topic away"
    PROCESS_KILLED = "process killed"
    CLOCK_MOVED = "system clock moved"
    EXPIRED_TWICE = "expire_sessions twice at once"
    RECONCILED_TWICE = "reconcile twice at once"
    SUMMARIZED_TWICE = "summarize_usage twice at once"
    ORGANIZATION_CAP_EDITED = "organization's cap edited"
    LICENSE_CAP_EDITED = "license's cap edited"
    USER_DEACTIVATED = "user deactivated for a while"
    LICENSE_DEACTIVATED = "license deactivated for a while"
    ORGANIZATION_DEACTIVATED = "organization deactivated"
    RESERVATIONS_EDITED = "license's reservations edited"
    OVERDRAFT_EDITED = "license's overdraft edited"
    DEVICE_LIMIT_EDITED = "license's device limit edited"
    BORROWING_EDITED = "license's borrowing edited"
    GROUPS_EDITED = "user's groups edited"
    GRANTS_STOPPED = "license not started, or for one group"
    SESSION_DELETED = "session deleted by an admin"
    SESSION_ENDED = "session ended by an admin"


OF_THE_STORE = frozenset({Kind.STORE_PAUSED, Kind.STORE_RESTARTED, Kind.STORE_CUT, Kind.STORE_SLOW, Kind.ANSWERS_LOST})
ON_THE_WAY = OF_THE_STORE | {Kind.TOPIC_DOWN}
"""What is done to the emulators, and to the ways there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault: when, in seconds since the clients began, and for how long.

    ``target`` is a process or an organization. ``amount``: milliseconds of delay, minutes that a clock is off, the new
    cap (``None``: no cap), or which of what there is then.
    """

    at: float
    kind: Kind
    lasts: float = 0
    target: str = ""
    amount: int | None = None
