"""Reports the licenses whose contract ends soon, once each 30, 7 and 1 days before.

A run looks at the day that ends so many days from now. So a license is looked at for one day, and reported even if no
run came for hours. A license that gets an end later than that has the later reports only.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from shared.documents import queries
from shared.documents.organizations import Run, work_through
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import license_from
from shared.documents.writing import audit_event_write
from shared.firestore.client import Document, Firestore
from shared.firestore.retry import retrying
from shared.rules.audit import expiring
from shared.rules.license import License

DAYS_BEFORE = (30, 7, 1)

PAGE = 500
"""Licenses read at a time."""


class ExpiryReports:
    """Reports the licenses of all organizations that end soon."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy

    async def report(self, *, now: datetime, run: Run) -> None:
        """Report them until the run's time is up. It may run again.

        Raises:
            StoreUnavailable: Firestore did not answer. Some licenses were reported.
        """
        for days in DAYS_BEFORE:
            until = now + timedelta(days=days)
            query = queries.licenses_expiring(after=until - timedelta(days=1), until=until, limit=PAGE)
            await work_through(self._firestore, query, partial(self._report, run, days), run=run)

    async def _report(self, run: Run, days_before: int, paths: OrganizationPaths, found: Sequence[Document]) -> None:
        if not run.may_begin():
            return
        with run.isolated(paths):
            await retrying(within=self._policy.answer_within)(self._report_once)(days_before, paths, found)

    async def _report_once(self, days_before: int, paths: OrganizationPaths, found: Sequence[Document]) -> None:
        at = await self._firestore.now()
        licenses = (license_ for each in found if isinstance(license_ := license_from(each, self._policy), License))
        events = (expiring(license_, days_before=days_before, now=at.now) for license_ in licenses)
        reports = [audit_event_write(event, paths, self._policy.retention) for event in events if event is not None]
        if not reports:
            return
        trail = (await self._firestore.read([report.path for report in reports], at=at)).documents
        missing = [report for report in reports if trail[report.path] is None]
        if missing:
            await self._firestore.commit(missing)
