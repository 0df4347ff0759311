"""Refusals and their denials: what is kept of a refusal for a second, and attempts that are written later."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from shared.documents.paths import OrganizationPaths
from shared.documents.reading import attempts_from, session_from
from shared.firestore.client import Document, Firestore
from shared.firestore.errors import StoreError
from shared.firestore.retry import retry_until
from shared.firestore.writes import Update
from shared.rules.session import Session
from shared.seats.counters import Evidence, Scope

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counted:
    """The requests that the denials of a commit count, and the time that it writes into them."""

    at: datetime
    requests: Sequence[object]


class Attempted:
    """What the commits of one group were to count, for as long as somebody waits whom they counted."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._commits: list[_Counted] = []

    def is_counted(self, request: object, denial: Document | None) -> bool:
        """Whether the stored denial is what one of these commits wrote for this very request, not one that equals it.

        Told by the time of the attempt. So it is not recognized when another instance has counted the same device
        since, or when the minute is over; and two instances that ask in the same microsecond are taken for one.
        """
        details = None if denial is None else denial.fields.get("details")
        last_attempt_at = details.get("last_attempt_at") if isinstance(details, dict) else None
        return any(
            each is request for commit in self._commits if commit.at == last_attempt_at for each in commit.requests
        )

    def note(self, requests: Sequence[object], *, now: datetime) -> None:
        """Note whom the next commit counts, those included who were counted before."""
        if requests:
            self._commits.append(_Counted(at=now, requests=requests))

    def forget_others_than(self, waiting: Iterable[object]) -> None:
        """Forget the commits of whose requests none waits any more."""
        if self._commits:
            waiting = {id(request) for request in waiting}
            self._commits = [
                commit for commit in self._commits if any(id(request) in waiting for request in commit.requests)
            ]


CROWD = 8
"""So many refusals in one group are counted. A client that is alone, however fast, costs the store its own requests."""

CAREFUL_A_SECOND = 20
"""A thousand clients that all wait as long as they are told ask less often. Many more, and a slow store would never see
the flood: refusals with care would take all its time, and not come to the number.
"""


class RefusalCache:
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


WRITTEN_AFTER_SECONDS = 1.0
"""How long attempts are added up before they are written; soon enough for the minute's final number."""

MAX_WRITTEN = 200
"""Denials in one commit."""

Tallies = Mapping[str, tuple[int, datetime]]


class DeferredDenials:
    """Writes the attempts of one organization's flood, a second after the first of them, for as long as there are any.

    An instance that is stopped within that second takes them with it; the device's first attempt is on record.
    """

    def __init__(self, firestore: Firestore, paths: OrganizationPaths, *, within: timedelta) -> None:
        """Write for one organization; what cannot be written ``within`` this time is given up, and logged."""
        self.refusal_cache = RefusalCache()
        self._firestore = firestore
        self._paths = paths
        self._within = within
        self._writing: asyncio.Task[None] | None = None

    def write_later(self) -> None:
        """Have the tallies written, if there are any."""
        if self.refusal_cache.has_tallies and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self.refusal_cache.has_tallies:
            await asyncio.sleep(WRITTEN_AFTER_SECONDS)
            tallies = self.refusal_cache.take_tallies(MAX_WRITTEN)
            try:
                await retry_until(
                    partial(self._add, tallies), within=self._within, otherwise="the store was away too long"
                )
            except StoreError as error:
                number = sum(number for number, _ in tallies.values())
                logger.warning("%d attempts of %d denials were not counted", number, len(tallies), exc_info=error)

    async def _add(self, tallies: Tallies) -> None:
        paths = {name: self._paths.audit_event(name) for name in tallies}
        stored = (await self._firestore.read(paths.values())).documents
        writes = [
            Update(path=path, fields={"details": details}, unchanged_since=document.update_time)
            for name, path in paths.items()
            if (document := stored[path]) is not None and (details := _added(document, *tallies[name])) is not None
        ]
        if writes:
            await self._firestore.commit(writes)


def _added(denial: Document, number: int, last_attempt_at: datetime) -> dict[str, Any] | None:
    """The denial's details with these attempts; ``None`` if it has them already, or if somebody edited it."""
    before, details = attempts_from(denial, now=last_attempt_at), denial.fields.get("details")
    if before is None or not isinstance(details, dict):
        return None
    last = details.get("last_attempt_at")
    if last == last_attempt_at:  # written by a commit whose answer was lost
        return None
    latest = max(last, last_attempt_at) if isinstance(last, datetime) else last_attempt_at
    return {**details, "attempts": before.number + number, "last_attempt_at": latest}
