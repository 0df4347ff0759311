"""The judge over a deployed organization: what it prints, how it ends, and that it writes nothing. On the emulator."""

import asyncio
import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore
from typer.testing import CliRunner, Result

from infra.judge.cli import app
from infra.judge.violation import Kind
from infra.local.processes import free_port
from shared.firestore.client import Firestore
from tests.infra.judge.recorded_clients import SECOND, Telling
from tests.support.tenant import Tenant


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """An organization in a project."""

    tenant: Tenant
    project: str
    firestore_host: str

    def judge(self, *options: str, organization_id: str | None = None, host: str | None = None) -> Result:
        """Run the command."""
        return self.run(organization_id or self.tenant.organization_id, *options, host=host)

    def judge_all(self, *options: str) -> Result:
        """Run the command over the whole project."""
        return self.run("--all", *options)

    def run(self, *options: str, host: str | None = None) -> Result:
        """Run the command."""
        asked = ["--project", self.project, *options]
        environment = {"FIRESTORE_EMULATOR_HOST": host or self.firestore_host, "COLUMNS": "200"}
        return CliRunner().invoke(app, asked, env=environment)

    def judged(self) -> tuple[int, set[str]]:
        """Run the command, and give its exit status and the kinds of what it found."""
        result = self.judge("--json")
        (organization,) = json.loads(result.stdout)["organizations"]
        return result.exit_code, {violation["kind"] for violation in organization["violations"]}


@pytest.fixture
def deployed(console: firestore.Client, project: str, firestore_host: str) -> Deployed:
    tenant = Tenant.create(console, seats=2)
    tenant.add_license(SECOND, f"{tenant.license_key}-2", seats=2)

    async def work() -> None:
        with closing(Firestore(project=project, emulator_host=firestore_host)) as store:
            clients = Telling(tenant=tenant, store=store)
            for user_id in ("m0", "m1", "m2"):
                await clients.acquire(user_id)
            await clients.release("m1")

    asyncio.run(work())
    return Deployed(tenant=tenant, project=project, firestore_host=firestore_host)


def everything(console: firestore.Client) -> dict[str, Any]:
    """Every document there is, with the time of its last change."""
    found: dict[str, Any] = {}
    for collection in ("organizations", "users", "licenses", "sessions", "usage", "audit_events", "reviews"):
        for document in console.collection_group(collection).stream():
            found[document.reference.path] = (document.to_dict(), document.update_time)
    return found


def test_an_organization_to_which_everything_was_kept(deployed: Deployed) -> None:
    result = deployed.judge()

    assert result.exit_code == 0, result.output
    assert "every promise was kept" in result.stdout
    # The organization, its counters, two licenses, two sessions; two grants, a denial and an end.
    assert "documents read" in result.stdout
    counts = json.loads(deployed.judge("--json").stdout)["organizations"][0]["counts"]
    assert counts["documents read"] == 10
    assert (counts["grants"], counts["denials"], counts["tenures"]) == (2, 1, 2)


def test_a_session_made_by_hand_above_the_cap(deployed: Deployed) -> None:
    now = datetime.now(UTC)
    held = deployed.tenant.open_sessions()[0]
    for number in range(2):
        made = {**held, "user_id": f"friend-{number}", "started_at": now, "lease_expires_at": now + timedelta(days=9)}
        deployed.tenant.session(f"made-by-hand-{number}").set(made)

    status, kinds = deployed.judged()

    assert status == 1
    assert kinds == {Kind.SESSION_UNTOLD, Kind.COUNTERS_DISAGREE}
    assert "unless an admin did it" in deployed.judge().stdout


def test_a_counter_that_was_edited(deployed: Deployed) -> None:
    deployed.tenant.seats.update({"total": 0})

    assert deployed.judged() == (1, {Kind.COUNTERS_DISAGREE})


def test_a_grant_that_was_taken_out_of_the_trail(deployed: Deployed) -> None:
    first = deployed.tenant.event_documents("session.acquired")[0]
    first.reference.delete()

    status, kinds = deployed.judged()

    assert status == 1
    assert Kind.GRANT_MISSING in kinds


def test_a_trail_that_was_purged_in_part_accuses_nobody(deployed: Deployed) -> None:
    # As if they had been kept until now, and Firestore had begun to delete them.
    for event in deployed.tenant.event_documents():
        event.reference.update({"purge_at": event.get("at")})
    deployed.tenant.event_documents("session.acquired")[0].reference.delete()

    assert deployed.judged() == (0, set())


def test_a_trail_that_is_read_from_some_time_on_accuses_nobody(deployed: Deployed) -> None:
    result = deployed.judge("--json", "--since", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"))

    assert result.exit_code == 0, result.output


def test_it_writes_nothing(deployed: Deployed, console: firestore.Client) -> None:
    deployed.tenant.seats.update({"total": 0})
    before = everything(console)

    assert deployed.judge().exit_code == 1

    assert everything(console) == before


def test_who_cannot_look_says_so(deployed: Deployed) -> None:
    nobody = deployed.judge(organization_id="nobody")
    assert nobody.exit_code == 2
    assert "there is no organization nobody" in nobody.stderr
    assert deployed.judge(organization_id="a/b").exit_code == 2

    away = deployed.judge(host=f"127.0.0.1:{free_port()}")
    assert away.exit_code == 2
    assert "could not use the database" in away.stderr


def test_one_time_of_purge_that_a_hand_wrote_takes_nothing_from_the_judge(deployed: Deployed) -> None:
    first, second, *_ = deployed.tenant.event_documents("session.acquired")
    for slip in (second.get("at"), second.get("at") - timedelta(days=400), datetime(9999, 12, 31, tzinfo=UTC)):
        second.reference.update({"purge_at": slip})
        assert deployed.judged() == (0, set())

    first.reference.delete()

    status, kinds = deployed.judged()
    assert status == 1
    assert Kind.GRANT_MISSING in kinds


def test_it_says_how_much_of_what_it_read_it_judged(deployed: Deployed) -> None:
    for event in deployed.tenant.event_documents():
        event.reference.update({"purge_at": event.get("at")})

    counts = json.loads(deployed.judge("--json").stdout)["organizations"][0]["counts"]

    assert (counts["audit events"], counts["audit events judged"]) == (4, 0)
    assert "only the documents were judged" in deployed.judge().stdout


def test_all_organizations_are_judged(deployed: Deployed, console: firestore.Client) -> None:
    other = Tenant.create(console, seats=1)
    # A collection below a document may be called as ours is.
    deployed.tenant.license().collection("organizations").document("not-one").set({"is_active": True})

    result = deployed.judge_all("--json")

    assert result.exit_code == 0, result.output
    judged = [each["organization_id"] for each in json.loads(result.stdout)["organizations"]]
    assert judged == sorted([deployed.tenant.organization_id, other.organization_id])


def test_a_project_without_organizations_is_not_said_to_be_fine(project: str, firestore_host: str) -> None:
    environment = {"FIRESTORE_EMULATOR_HOST": firestore_host}

    result = CliRunner().invoke(app, ["--all", "--project", project], env=environment)

    assert result.exit_code == 2
    assert f"there is no organization in {project}" in result.stderr


def test_it_says_before_how_much_it_would_read(deployed: Deployed) -> None:
    counts = json.loads(deployed.judge("--json").stdout)["organizations"][0]["counts"]

    assert deployed.judge("--count").stdout == f"{counts['documents read']} documents would be read\n"
    assert deployed.judge_all("--count").stdout == f"{counts['documents read']} documents would be read\n"
    assert deployed.judge("--count", "--since", "2999-01-01").stdout == "6 documents would be read\n"


def test_organizations_are_named_or_all_of_them_are_asked_for(deployed: Deployed) -> None:
    for result in (deployed.judge("--all"), deployed.run()):
        assert result.exit_code == 2
        assert "give organization ids, or --all" in result.stderr
