"""Audit events that are committed but not published. Firestore is the queue, so a query tells its length.

::

    committed      90 s                                          4.5 min and more
        |-- fresh --|-- late: expire_sessions publishes it ------|-- expire_sessions failed

A denial waits for expire_sessions anyway. Any other late event was not published by relay_audit.
"""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

from infra.build.triggers import OnSchedule, deployed_name, triggers
from infra.doctor.database import firestore_of
from infra.doctor.finding import Area, Finding
from infra.doctor.jobs import interval_of
from infra.doctor.project import Project
from shared.audit.relay import LEFT_BEHIND_AFTER
from shared.documents import queries
from shared.firestore.client import ALL_ORGANIZATIONS, Document
from shared.rules.audit import AuditType

AT_MOST_READ = 500

_A_RUN_TAKES = timedelta(minutes=2)


def check_backlog(project: Project) -> list[Finding]:
    area = Area(name="backlog", api="firestore.googleapis.com", role="roles/datastore.viewer", project=project.project)
    return area.ask("unpublished events", lambda: list(_look_at(area, project)))


def _look_at(area: Area, project: Project) -> Iterator[Finding]:
    events, number, now = asyncio.run(_left_behind(project))
    expire_sessions = triggers()["expire_sessions"]
    if not isinstance(expire_sessions, OnSchedule):
        message = "infra/functions.json gives expire_sessions no schedule, so nothing publishes late events"
        raise TypeError(message)
    too_old = now - LEFT_BEHIND_AFTER - interval_of(expire_sessions.schedule, now=now) - _A_RUN_TAKES
    logs = "gcloud logging read 'resource.labels.service_name=\"{}\" severity>=WARNING' --freshness=1h --project={}"
    not_relayed = [event for event in events if event.fields.get("type") != AuditType.DENIED]
    if not_relayed:
        yield area.wrong(
            "relay_audit",
            f"{len(not_relayed)} events are unpublished after 90 seconds or more, {_since(not_relayed, now)}",
            mend=logs.format(deployed_name("relay_audit"), project.project),
        )
    else:
        yield area.ok("relay_audit", "published every event in time")
    missed = [event for event in events if _at(event) < too_old]
    if missed:
        yield area.wrong(
            "expire_sessions",
            f"{len(missed)} events should be published by now, {_since(missed, now)}; {number} wait in total",
            mend=logs.format(deployed_name("expire_sessions"), project.project),
        )
    else:
        yield area.ok("expire_sessions", f"{number} events wait for its next run")


async def _left_behind(project: Project) -> tuple[list[Document], int, datetime]:
    """The oldest late events, the number of all late events, and the time by the database's clock."""
    with closing(firestore_of(project)) as firestore:
        at = await firestore.now()
        before = at.now - LEFT_BEHIND_AFTER
        oldest = queries.unpublished_events(before=before, limit=AT_MOST_READ)
        events = await firestore.select(ALL_ORGANIZATIONS, oldest, at=at)
        number = await firestore.count(ALL_ORGANIZATIONS, queries.unpublished_events(before=before), at=at)
        return events, number, at.now


def _since(events: list[Document], now: datetime) -> str:
    return f"the oldest {timedelta(seconds=int((now - min(map(_at, events))).total_seconds()))} ago"


def _at(event: Document) -> datetime:
    at = event.fields.get("at")
    # The query returns only documents that have a time.
    return at if isinstance(at, datetime) else datetime.max.replace(tzinfo=UTC)
