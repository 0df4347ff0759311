"""The doctor and the smoke test as programs: what they print, and how they end."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from infra.build.preflight.quotas import BUILD_CPUS, RUN_CPUS
from infra.build.stage import ROOT
from infra.doctor.cli import app as doctor_app
from infra.doctor.finding import Area, Finding, Mark
from infra.doctor.project import PUBLIC
from infra.doctor.report import as_json, is_healthy, tell
from infra.doctor.smoke import app as smoke_app
from infra.local.stack import PROJECT
from infra.local.tokens import unsigned_token
from tests.infra.recorded_api import RecordedApi, recorded, recorded_api
from tests.infra.recorded_deployment import say_deployment
from tests.infra.recorded_indexes import Deployed
from tests.infra.recorded_preflight import say_quota
from tests.infra.recorded_topic import say_topic
from tests.infra.served import Served
from tests.support.tenant import Tenant

PAGE = (ROOT / "infra/docs/deploy.md").read_text()
AREA = Area(name="topic", api="pubsub.googleapis.com", role="roles/pubsub.viewer", project=PROJECT)
OK = AREA.ok("schema", "is there", milliseconds=12)
WRONG = AREA.wrong("schema", "the topic has none [yet]", mend="make 'it' [now]")
UNKNOWN = AREA.unknown("topic", "403 no", mend="gcloud services enable pubsub.googleapis.com")


@pytest.fixture
def api() -> Iterator[RecordedApi]:
    """Every service that has no emulator, healthy, on one address."""
    with recorded_api() as served:
        Deployed(served)
        jobs = recorded("jobs")
        for job in jobs["jobs"][:3]:
            job["lastAttemptTime"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        served.say(f"GET /v1/projects/{PROJECT}/locations/us-central1/jobs", jobs)
        say_topic(served)
        say_deployment(served, region="us-central1")
        for metric in (RUN_CPUS, BUILD_CPUS):
            say_quota(served, metric, 20_000)
        served.say(f"GET /v1/projects/{PROJECT}/releases/cloud.firestore", recorded("release"))
        ruleset = recorded("ruleset")
        ruleset["source"]["files"][0]["content"] = (ROOT / "infra/firestore.rules").read_text()
        served.say(f"GET /v1/{ruleset['name']}", ruleset)
        yield served


def token_of(tenant: Tenant) -> str:
    return unsigned_token(project=PROJECT, organization_id=tenant.organization_id, user_id="m0")


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(doctor_app, [f"--project={PROJECT}", "--region=us-central1", *arguments])


def smoke(*arguments: str) -> Result:
    return CliRunner().invoke(smoke_app, [f"--project={PROJECT}", *arguments])


def everywhere(api: RecordedApi, firestore_host: str) -> list[str]:
    elsewhere = dict.fromkeys(PUBLIC, api.url)
    elsewhere["firestore-data"] = firestore_host
    return [f"--endpoint={service}={address}" for service, address in elsewhere.items()]


# The doctor


def test_a_healthy_project_ends_with_0(
    api: RecordedApi, firestore_host: str, local_stack: Served, tenant: Tenant
) -> None:
    told = doctor(
        *everywhere(api, firestore_host),
        f"--url={local_stack.state['base_url']}",
        f"--canary-token={token_of(tenant)}",
        f"--canary-license-key={tenant.license_key}",
    )

    assert told.exit_code == 0, told.stdout
    assert "0 wrong, 0 could not be checked" in told.stdout


def test_json_has_every_finding_and_whether_all_is_well(
    api: RecordedApi, firestore_host: str, local_stack: Served, tenant: Tenant
) -> None:
    told = doctor(
        *everywhere(api, firestore_host),
        f"--url={local_stack.state['base_url']}",
        f"--canary-token={token_of(tenant)}",
        f"--canary-license-key={tenant.license_key}",
        "--json",
    )

    report = json.loads(told.stdout)
    assert (report["project"], report["ok"]) == (PROJECT, True)
    areas = {finding["area"] for finding in report["findings"]}
    assert areas == {
        "services",
        "quotas",
        "scheduler",
        "events",
        "alerts",
        "topic",
        "backlog",
        "rounds",
        "database",
        "indexes",
        "rules",
        "functions",
    }
    assert {finding["mark"] for finding in report["findings"]} == {"ok"}
    acquired = next(each for each in report["findings"] if each["subject"] == "canary: acquire")
    assert acquired["milliseconds"] > 0


def test_one_thing_that_is_wrong_ends_with_1_and_its_command_is_printed_whole(
    api: RecordedApi, firestore_host: str, local_stack: Served, tenant: Tenant
) -> None:
    jobs = recorded("jobs")
    jobs["jobs"][0]["state"] = "PAUSED"
    for job in jobs["jobs"][:3]:
        job["lastAttemptTime"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    api.say(f"GET /v1/projects/{PROJECT}/locations/us-central1/jobs", jobs)

    told = doctor(
        *everywhere(api, firestore_host),
        f"--url={local_stack.state['base_url']}",
        f"--canary-token={token_of(tenant)}",
        f"--canary-license-key={tenant.license_key}",
    )

    assert told.exit_code == 1
    assert "1 wrong, 0 could not be checked" in told.stdout
    command = f"gcloud scheduler jobs resume seatlease-expire-sessions --location=us-central1 --project={PROJECT}"
    assert f"\nscheduler, job seatlease-expire-sessions:\n    {command}\n" in told.stdout


def test_a_canary_that_nobody_gave_could_not_be_checked_and_ends_with_1(
    api: RecordedApi, firestore_host: str, local_stack: Served
) -> None:
    told = doctor(*everywhere(api, firestore_host), f"--url={local_stack.state['base_url']}")

    assert told.exit_code == 1
    assert "0 wrong, 1 could not be checked" in told.stdout
    assert "infra/docs/deploy.md#the-canary" in told.stdout


def test_a_service_that_may_not_be_asked_is_not_taken_for_healthy(
    api: RecordedApi, firestore_host: str, local_stack: Served, tenant: Tenant
) -> None:
    release = f"GET /v1/projects/{PROJECT}/releases/cloud.firestore"
    api.say(release, recorded("permission_denied"), status=403)

    told = doctor(
        *everywhere(api, firestore_host),
        f"--url={local_stack.state['base_url']}",
        f"--canary-token={token_of(tenant)}",
        f"--canary-license-key={tenant.license_key}",
    )

    assert told.exit_code == 1
    assert "0 wrong, 1 could not be checked" in told.stdout


@pytest.mark.parametrize("arguments", [["--regoin=x"], ["--no-such"]])
def test_a_mistake_on_the_command_line_ends_with_2(arguments: list[str]) -> None:
    told = doctor(*arguments)

    assert told.exit_code == 2


def test_without_a_project_there_is_nothing_to_look_at() -> None:
    told = CliRunner().invoke(doctor_app, [])

    assert told.exit_code == 2


# What it makes of findings


@pytest.mark.parametrize(
    ("findings", "healthy"),
    [([OK], True), ([OK, WRONG], False), ([OK, UNKNOWN], False), ([], False)],
)
def test_only_what_was_looked_at_and_is_well_is_healthy(findings: list[Finding], *, healthy: bool) -> None:
    assert is_healthy(findings) is healthy


def test_a_finding_that_could_not_be_made_is_marked_so_in_json() -> None:
    report: dict[str, Any] = json.loads(as_json([OK, UNKNOWN], project=PROJECT))

    assert report["ok"] is False
    assert [finding["mark"] for finding in report["findings"]] == [Mark.OK, Mark.UNKNOWN]
    assert report["findings"][1]["mend"] == UNKNOWN.mend


def test_what_a_service_says_is_printed_as_it_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    tell([WRONG], Console(width=200), title="t")

    printed = capsys.readouterr().out
    assert "the topic has none [yet]" in printed
    assert "    make 'it' [now]\n" in printed


def test_what_one_command_mends_stands_together(capsys: pytest.CaptureFixture[str]) -> None:
    both = [AREA.wrong(subject, "is not there", mend="apply") for subject in ("topic", "schema")]

    tell([OK, *both, WRONG], Console(width=200), title="t")

    printed = capsys.readouterr().out
    assert "\ntopic, topic:\ntopic, schema:\n    apply\n\ntopic, schema:\n    make 'it' [now]\n" in printed


# The smoke test


def test_a_stack_that_works_passes_the_smoke_test(local_stack: Served, tenant: Tenant) -> None:
    told = smoke(
        f"--url={local_stack.state['base_url']}",
        f"--canary-token={token_of(tenant)}",
        f"--canary-license-key={tenant.license_key}",
    )

    assert told.exit_code == 0, told.stdout
    assert f"The build's log ends with `{told.stdout.splitlines()[-1]}`." in PAGE


def test_a_canary_without_a_license_key_fails_the_smoke_test(local_stack: Served, tenant: Tenant) -> None:
    told = smoke(f"--url={local_stack.state['base_url']}", f"--canary-token={token_of(tenant)}")

    assert told.exit_code == 1
    assert "0 wrong, 1 could not be checked" in told.stdout


def test_a_seat_that_is_not_granted_fails_the_smoke_test(local_stack: Served, tenant: Tenant) -> None:
    told = smoke(
        f"--url={local_stack.state['base_url']}",
        f"--canary-token={token_of(tenant)}",
        "--canary-license-key=OTHER",
    )

    assert told.exit_code == 1
    assert "404 LICENSE_NOT_FOUND" in told.stdout


def test_without_a_canary_only_the_answers_are_looked_at(local_stack: Served) -> None:
    told = smoke(f"--url={local_stack.state['base_url']}", "--without-canary", "--canary-api-key=key")

    assert told.exit_code == 0, told.stdout
    assert PAGE.count(told.stdout.splitlines()[-1]) == 2  # of the first build, and by hand


def test_functions_that_are_not_there_fail_the_smoke_test(unused_tcp_port: int) -> None:
    told = smoke(f"--url=http://127.0.0.1:{unused_tcp_port}", "--without-canary")

    assert told.exit_code == 1


def test_a_token_that_is_not_to_be_had_fails_the_smoke_test(
    api: RecordedApi, local_stack: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")

    told = smoke(
        f"--url={local_stack.state['base_url']}",
        f"--endpoint=identity={api.url}",
        "--canary-license-key=A-KEY",
        "--canary-api-key=key",
    )

    assert told.exit_code == 1
    assert "could not check" in told.stdout
