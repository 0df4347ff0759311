"""What the doctor says of rounds over all organizations that do not come to their end. On the Firestore emulator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from infra.doctor.finding import Finding, Mark
from infra.doctor.project import Project
from infra.doctor.rounds import check_rounds

NONE = "no round is under way: the last one reached all organizations"


@pytest.fixture
def deployed(project: str, firestore_host: str) -> Project:
    return Project(project=project, region="us-central1", endpoints={"firestore-data": firestore_host})


def write_place(console: firestore.Client, run: str, *, walk: str, path: str | None, ago: timedelta) -> None:
    place: dict[str, Any] = {"walk": walk, "path": path, "value": None, "began_at": datetime.now(UTC) - ago}
    console.document(f"runs/{run}").set(place)


def found_by(findings: list[Finding]) -> dict[str, tuple[Mark, str]]:
    return {finding.subject: (finding.mark, finding.found) for finding in findings}


def test_where_each_run_reaches_all_organizations_no_round_is_under_way(
    deployed: Project, console: firestore.Client
) -> None:
    write_place(console, "resync", walk="", path=None, ago=timedelta(days=3))

    assert found_by(check_rounds(deployed)) == {"sessions and counters": (Mark.OK, NONE), "edits": (Mark.OK, NONE)}


def test_a_round_of_several_runs_is_well_until_it_takes_a_day(deployed: Project, console: firestore.Client) -> None:
    where = "organizations/northwind/sessions/s"
    write_place(console, "reconcile", walk="sessions", path=where, ago=timedelta(hours=2))
    write_place(console, "resync", walk="users", path="organizations/northwind/users/u", ago=timedelta(hours=25))

    sessions, edits = check_rounds(deployed)

    assert (sessions.mark, sessions.found[:20]) == (Mark.OK, "a round began 2:00:0")
    assert (edits.mark, edits.found[:39]) == (Mark.WRONG, "a round is under way since 1 day, 1:00:")
    assert str(edits.mend).endswith("infra/docs/limits.md#all-organizations")
