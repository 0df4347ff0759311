"""What a history shows to be wrong."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from infra.judge.history import Event


class Kind(StrEnum):
    """The ways in which a promise can be broken, one for each thing that somebody would look into differently."""

    LICENSE_CAP_EXCEEDED = "license cap exceeded"
    ORGANIZATION_CAP_EXCEEDED = "organization cap exceeded"
    CAP_NOT_IN_FORCE = "decided under a cap that was not in force"
    GRANT_MISSING = "grant missing in the trail"
    GRANT_TWICE = "grant number given twice"
    GRANT_OUT_OF_ORDER = "grants out of order"
    EVENT_TWICE = "event told twice"
    EVENT_MISNAMED = "event misnamed"
    EVENT_UNREADABLE = "event unreadable"
    START_TWICE = "tenure started twice"
    START_MISSING = "tenure without a start"
    END_TWICE = "tenure ended twice"
    END_MISSING = "tenure whose end is not told"
    END_MISTOLD = "end that does not fit its start"
    TENURES_OVERLAP = "tenures of one session overlap"
    EXPIRED_EARLY = "expired before its lease had run out"
    REFUSED_WHILE_FREE = "refused while a seat was free"
    SESSION_UNTOLD = "open session that no grant explains"
    SESSION_OPEN_AFTER_END = "session open after its end"
    SESSION_MISSING = "tenure without its session document"
    COUNTERS_DISAGREE = "counters disagree with the sessions"
    COUNTERS_DRIFTED = "counters drifted without a hand"
    REPAIR_MISTOLD = "repair that does not fit the sessions"
    ACKNOWLEDGED_GRANT_LOST = "acknowledged grant lost"
    ACKNOWLEDGED_DENIAL_LOST = "acknowledged denial lost"
    ACKNOWLEDGED_RELEASE_LOST = "acknowledged release lost"
    ACKNOWLEDGED_LEASE_CUT = "acknowledged lease cut short"
    ACKNOWLEDGED_ABOVE_CAP = "more seats acknowledged at a time than the cap"
    ANSWERED_AFTER_END = "kept or renewed after its end"
    HOLDER_REFUSED = "holder of a seat told that it had ended"
    USAGE_MISTOLD = "usage told otherwise than the trail"
    GRANT_UNASKED = "grant that nobody asked for"
    UNPUBLISHED = "event not published"
    PUBLISHED_UNCOMMITTED = "published and not committed"
    PUBLISHED_DIFFERENTLY = "published differently from what was committed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One promise that was broken: when by the database's clock, and the events that show it.

    ``is_certain`` of ``False``: something that was not noted could still explain it; ``message`` says what.
    """

    kind: Kind
    organization_id: str
    at: datetime | None
    message: str
    events: tuple[Event, ...] = ()
    is_certain: bool = True
