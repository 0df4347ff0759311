"""How long reconcile takes to look at all organizations, and at every edit once a day.

A run whose time is up remembers its place, and the next one goes on there. Where that happens run after run, the place
says since when the round is under way.
"""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

from infra.doctor.database import firestore_of
from infra.doctor.finding import Area, Finding
from infra.doctor.project import Project
from shared.admin.resync import ROUND as EDITS
from shared.documents.paths import run_path
from shared.documents.places import place_from
from shared.firestore.client import Snapshot
from shared.seats.reconcile import ROUND as SEATS

_SUBJECTS = {SEATS: "sessions and counters", EDITS: "edits"}

_LATE_AFTER = timedelta(days=1)
"""A round of edits begins once a day. One of sessions takes a run, and some hours with very many organizations."""

_MEND = "raise run_within_seconds of reconcile in infra/terraform/functions.tf: infra/docs/limits.md#all-organizations"


def check_rounds(project: Project) -> list[Finding]:
    area = Area(name="rounds", api="firestore.googleapis.com", role="roles/datastore.viewer", project=project.project)
    return area.ask("rounds", lambda: list(_look_at(area, project)))


def _look_at(area: Area, project: Project) -> Iterator[Finding]:
    snapshot = asyncio.run(_places(project))
    for name, subject in _SUBJECTS.items():
        place = place_from(snapshot.documents[run_path(name)])
        if place is None or place.after is None:
            yield area.ok(subject, "no round is under way: the last one reached all organizations")
            continue
        ago = timedelta(seconds=int((snapshot.at.now - place.began_at).total_seconds()))
        if ago > _LATE_AFTER:
            found = f"a round is under way since {ago} ago, so organizations are looked at less than once a day"
            yield area.wrong(subject, found, mend=_MEND)
        else:
            yield area.ok(subject, f"a round began {ago} ago")


async def _places(project: Project) -> Snapshot:
    with closing(firestore_of(project)) as firestore:
        return await firestore.read([run_path(name) for name in _SUBJECTS])
