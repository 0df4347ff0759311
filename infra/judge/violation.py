"""A broken promise that a history shows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from infra.judge.history import Event


class Kind(StrEnum):
    """The kinds of broken promises."""

    LICENSE_CAP_EXCEEDED = "license cap exceeded"
    ORGANIZATION_CAP_EXCEEDED = "organization cap exceeded"
    CAP_NOT_IN_FORCE = "decided under a cap that was not in force"
    POOL_EXCEEDED = "pool exceeded"
    WRONG_POOL = "seat of a wrong pool"
    OVERDRAFT_MISTOLD = "overdraft marked wrongly"
    DEVICE_LIMIT_EXCEEDED = "device limit exceeded"
    GRANTED_BEFORE_START = "seat of a license that had not started"
    GRANTED_TO_OTHERS = "seat for a user outside the allowed groups"
    GRANTED_WHILE_KEPT_OUT = "seat for a user who was kept out"
    GRANTED_OUT_OF_TURN = "seat given past users who had waited for longer"
    NOT_LENT = "seat borrowed of a license that lends none"
    BORROWED_TOO_LONG = "seat borrowed for longer than the license allows"
    BORROWED_SEATS_EXCEEDED = "more seats borrowed at a time than the license allows"
    BORROWED_FOR_LESS = "borrow that ends no later than the one before"
    BORROW_CUT_SHORT = "lease of a borrowed seat cut short"
    BORROW_MISTOLD = "session whose borrow contradicts the trail"
    GRANT_MISSING = "grant missing in the trail"
    GRANT_TWICE = "two grants with one number"
    GRANT_OUT_OF_ORDER = "grants out of order"
    EVENT_TWICE = "two events with one id"
    EVENT_MISNAMED = "event with a wrong id"
    EVENT_UNREADABLE = "event with invalid fields"
    START_TWICE = "tenure started twice"
    START_MISSING = "tenure without a start"
    END_TWICE = "tenure ended twice"
    END_MISSING = "end missing in the trail"
    END_MISTOLD = "end that contradicts its start"
    TENURES_OVERLAP = "tenures of one session overlap"
    EXPIRED_EARLY = "expired before its lease ran out"
    REFUSED_WHILE_FREE = "denied while a seat was free"
    SESSION_UNTOLD = "open session without a grant"
    SESSION_OPEN_AFTER_END = "session open after its end"
    SESSION_MISSING = "tenure without its session document"
    COUNTERS_DISAGREE = "counters disagree with the sessions"
    COUNTERS_DRIFTED = "counters wrong without an admin's edit"
    EXPIRY_MISTOLD = "expiry report that contradicts the license"
    REPAIR_MISTOLD = "repair that contradicts the sessions"
    ACKNOWLEDGED_GRANT_LOST = "acknowledged grant lost"
    ACKNOWLEDGED_DENIAL_LOST = "acknowledged denial lost"
    ACKNOWLEDGED_PLACE_LOST = "acknowledged place in the line lost"
    ACKNOWLEDGED_RELEASE_LOST = "acknowledged release lost"
    ACKNOWLEDGED_BORROW_LOST = "acknowledged borrow lost"
    ACKNOWLEDGED_LEASE_CUT = "acknowledged lease cut short"
    ACKNOWLEDGED_ABOVE_CAP = "more seats acknowledged at a time than the cap"
    INSTANCE_CUT_OFF = "seat given back while another instance held a lease"
    ANSWERED_AFTER_END = "lease answered after the session's end"
    HOLDER_REFUSED = "holder of a seat answered that it ended"
    DAY_MISCOUNTED = "day of the history unlike the trail"
    PEAK_ABOVE_CAP = "day of the history with more seats in use than were given"
    USAGE_MISTOLD = "usage contradicts the trail"
    GRANT_UNASKED = "grant without a request"
    UNPUBLISHED = "event not published"
    PUBLISHED_UNCOMMITTED = "published but not committed"
    PUBLISHED_DIFFERENTLY = "published differently than committed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One broken promise: when, by the database's clock, and the events that show it.

    ``is_certain`` is ``False`` if an edit that was not noted could explain it. ``message`` says which.
    """

    kind: Kind
    organization_id: str
    at: datetime | None
    message: str
    events: tuple[Event, ...] = ()
    is_certain: bool = True
