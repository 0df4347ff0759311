"""Reconcile: ends sessions whose user lost the right to them, and repairs counters that do not match the sessions.
It also reports the licenses that end soon.

A run walks over every open session, and over every counter that is not 0. So it finds each organization that holds a
seat, and each whose counters only say so. It begins where the last run stopped.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial

from shared.documents import queries
from shared.documents.organizations import Run, Work, go_round, work_through
from shared.documents.paths import OrganizationPaths, can_be_document_id, run_path
from shared.documents.places import Place, place_from
from shared.documents.policy import Policy
from shared.firestore.client import Document, Firestore
from shared.firestore.errors import Conflict
from shared.firestore.query import Query
from shared.firestore.retry import read_with_retry, retrying
from shared.firestore.writes import Create, Update
from shared.seats.counters import repair_counters
from shared.seats.endings import Rights, by_hand_writes
from shared.seats.expiring import ExpiryReports

logger = logging.getLogger(__name__)

ROUND = "reconcile"

PAGE = 500
"""Open sessions read at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcileReport:
    """What a run did. ``ends_reported`` counts ends that an admin made in the console."""

    sessions_ended: int
    ends_reported: int
    counters_repaired: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    now: datetime


class _ReconcileRun(Run):
    def __init__(self, within: timedelta) -> None:
        super().__init__(within)
        self.reported = 0
        self.counted: set[str] = set()
        self.repaired: set[str] = set()


class Reconciliations:
    """Reconciles all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy, *, run_within: timedelta) -> None:
        """A run begins nothing new after ``run_within``."""
        self._firestore = firestore
        self._policy = policy
        self._run_within = run_within
        self._rights = Rights(firestore, policy)
        self._expiry_reports = ExpiryReports(firestore, policy)

    async def reconcile(self) -> ReconcileReport:
        """Check every organization with an open session or with counters that are not 0, until the time is up.

        It may run again.

        Raises:
            StoreUnavailable: Firestore did not answer. Some of the work is done, each commit as a whole.
        """
        run = _ReconcileRun(self._run_within)
        snapshot = await read_with_retry(partial(self._firestore.read, [run_path(ROUND)]))
        # First, because these ends did not change the counters, which are compared below.
        await work_through(
            self._firestore,
            queries.ended_by_hand(limit=PAGE),
            lambda paths, found: self._report_ends(paths, found, run),
            run=run,
        )
        await self._expiry_reports.report(now=snapshot.at.now, run=run)
        walks: Mapping[str, tuple[Query, Work]] = {
            "sessions": (
                queries.open_everywhere(limit=PAGE),
                lambda paths, sessions: self._review(paths, sessions, run),
            ),
            "counters": (queries.counters_in_use(limit=PAGE), lambda paths, _: self._review(paths, (), run)),
            "accounts": (
                queries.without_account(limit=PAGE),
                lambda paths, records: self._look_again(paths, records, run),
            ),
        }
        place = place_from(snapshot.documents[run_path(ROUND)])
        if place is None or place.walk not in walks or place.after is None:
            place = Place(walk="sessions", began_at=snapshot.at.now)
        await go_round(self._firestore, ROUND, walks, place=place, run=run)
        return self._report(run, now=snapshot.at.now)

    async def _look_again(self, paths: OrganizationPaths, records: Sequence[Document], run: _ReconcileRun) -> None:
        """Empty the problems of users without an account. So their function looks for the account again."""
        if not run.may_begin():
            return
        with run.isolated(paths):
            user_ids = [str(record.fields.get("user_id", "")) for record in records]
            own = [paths.user(each) for each in user_ids if can_be_document_id(each)]
            snapshot = await read_with_retry(partial(self._firestore.read, own))
            for document in filter(None, snapshot.documents.values()):
                touch = Update(path=document.path, fields={"problems": None}, unchanged_since=document.update_time)
                with suppress(Conflict):  # an admin edited it, so its function is called
                    await self._firestore.commit([touch])

    async def _report_ends(self, paths: OrganizationPaths, found: Sequence[Document], run: _ReconcileRun) -> None:
        """Write the reason of ends by hand, and report them."""
        if not run.may_begin():
            return
        patient = retrying(within=self._policy.answer_within)
        with run.isolated(paths):
            reported = await patient(self._report_ends_once)(paths, [document.path for document in found])
            run.reported += reported

    async def _report_ends_once(self, paths: OrganizationPaths, session_paths: Sequence[str]) -> int:
        snapshot = await self._firestore.read(session_paths)
        found = filter(None, snapshot.documents.values())
        writes = await by_hand_writes(self._firestore, paths, found, self._policy.retention, at=snapshot.at)
        if writes:
            await self._firestore.commit(writes)
        return sum(isinstance(write, Create) for write in writes)

    async def _review(self, paths: OrganizationPaths, sessions: Sequence[Document], run: _ReconcileRun) -> None:
        if not run.may_begin():
            return
        organization_id = paths.organization_id
        patient = retrying(within=self._policy.answer_within)
        with run.isolated(paths):
            if sessions:
                ended = await patient(self._rights.end_revoked)(paths, sessions)
                run.ended[organization_id] += ended
            if organization_id not in run.counted:
                run.counted.add(organization_id)
                repair = partial(repair_counters, self._firestore, paths, self._policy.retention, known=sessions)
                if await patient(repair)():
                    run.repaired.add(organization_id)

    def _report(self, run: _ReconcileRun, *, now: datetime) -> ReconcileReport:
        report = ReconcileReport(
            sessions_ended=run.ended.total(),
            ends_reported=run.reported,
            counters_repaired=len(run.repaired),
            organizations=len(run.counted),
            organizations_failed=len(run.failed),
            is_complete=run.is_complete,
            now=now,
        )
        message = "all organizations were reconciled" if report.is_complete else "the time is up; the next run goes on"
        logger.info(message, extra=asdict(report))
        return report
