"""A flood of refusals: what was found out a moment ago answers it, and its attempts are written together.

A refusal is given with care: the sessions are counted, the first lease to end is looked up, and the attempt is written
before the answer. Hundreds of clients that ask again at once would have the store do nothing else. So of the refusals
of one organization that come as a crowd the first ``CAREFUL_A_SECOND`` of a second are given with care. Beyond them,
and in the next second from its beginning, it is enough that the counters are the very version for which the license was
found to be full in that same second, and that no lease has ended since; and attempts of a device that is on record for
this minute are added up and written a second later (``infra/decisions/0013-a-flood-of-refusals.md``).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from shared.documents.reading import session_from
from shared.firestore.client import Document
from shared.rules.session import Session
from shared.seats.evidence import Evidence, Scope

CROWD = 8
"""So many refusals in one group are counted. A client that is alone, however fast, costs the store its own requests."""

CAREFUL_A_SECOND = 20
"""A thousand clients that all wait as long as they are told ask less often. Many more, and a slow store would never see
the flood: refusals with care would take all its time, and not come to the number.
"""


class Flood:
    """The refusals of one organization in this second, as one instance sees them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._second: datetime | None = None
        self._minute: datetime | None = None
        self._refused = 0
        self._lasts = False
        self._version: object = None
        self._evidence: dict[Scope, Evidence] = {}
        self._on_record: set[str] = set()
        self._tallies: dict[str, tuple[int, datetime]] = {}

    def go_to(self, now: datetime) -> None:
        """Forget what holds for a second, or a minute, that is over."""
        second = now.replace(microsecond=0)
        if second != self._second:
            is_next = self._second is not None and second - self._second == timedelta(seconds=1)
            self._lasts = is_next and self._refused >= CAREFUL_A_SECOND
            self._second, self._refused, self._evidence = second, 0, {}
        minute = second.replace(second=0)
        if minute != self._minute:
            self._minute, self._on_record = minute, set()

    @property
    def has_risen(self) -> bool:
        """Whether there have been enough refusals with care, in this second or in the one before."""
        return self._lasts or self._refused >= CAREFUL_A_SECOND

    def evidence(self, seats: Document | None, *, now: datetime) -> dict[Scope, Evidence]:
        """What was found out in this second and must still hold: for the same version of the counters, and with no
        lease that has ended since.
        """
        if seats is None or seats.update_time != self._version:
            return {}
        return {scope: seen for scope, seen in self._evidence.items() if not _may_have_changed(seen, now)}

    def remember(self, evidence: Mapping[Scope, Evidence], *, seats: Document | None) -> None:
        """Keep what was found out while the counters were at this version."""
        version = None if seats is None else seats.update_time
        if version != self._version:
            self._version, self._evidence = version, {}
        self._evidence |= evidence

    def on_record(self, denials: Collection[str]) -> set[str]:
        """Which of these denials have been written in this minute."""
        return self._on_record & set(denials)

    def refused(self, *, recorded: Sequence[str], tallied: Sequence[str], now: datetime) -> None:
        """Note refusals whose answers are certain now, by their denials: of those written, and of those to add to."""
        together = len(recorded) + len(tallied)
        if together >= CROWD:
            self._refused += together
        self._on_record.update(recorded)
        for name in tallied:
            number, _ = self._tallies.get(name, (0, now))
            self._tallies[name] = (number + 1, now)

    @property
    def has_tallies(self) -> bool:
        """Whether there are attempts that are not written yet."""
        return bool(self._tallies)

    def take_tallies(self, most: int) -> dict[str, tuple[int, datetime]]:
        """Take so many denials at most of those with attempts that are not written yet: how many, the last one when."""
        return {name: self._tallies.pop(name) for name in list(self._tallies)[:most]}


def _may_have_changed(seen: Evidence, now: datetime) -> bool:
    session = None if seen.next_to_lapse is None else session_from(seen.next_to_lapse)
    return bool(seen.lapsed) or (isinstance(session, Session) and session.lease_expires_at <= now)
