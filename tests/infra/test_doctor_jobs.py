"""What the doctor says of Cloud Scheduler's jobs. Recorded answers: the service has no emulator."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.build.triggers import OnSchedule, deployed_name, triggers
from infra.doctor.finding import Finding, Mark
from infra.doctor.jobs import check_jobs, interval_of
from infra.doctor.project import Project
from tests.infra.recorded_api import RecordedApi, recorded, recorded_api

JOBS = "GET /v1/projects/demo-seatlease/locations/us-central1/jobs"
NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
WHERE = "--location=us-central1 --project=demo-seatlease"
APPLY = (
    "terraform -chdir=infra/terraform apply -var-file=environments/production.tfvars "
    "-var=project_id=demo-seatlease -var=region=us-central1"
)

SET_SCHEDULE = (
    f"gcloud scheduler jobs update http seatlease-expire-sessions --schedule='* * * * *' --time-zone=Etc/UTC {WHERE}"
)
LOGS = (
    "gcloud logging read 'resource.labels.service_name=\"seatlease-expire-sessions\" severity>=ERROR' "
    "--freshness=1h --project=demo-seatlease"
)


@pytest.fixture
def api() -> Iterator[RecordedApi]:
    with recorded_api() as served:
        served.say(JOBS, recorded("jobs"))
        yield served


def look(api: RecordedApi, *, now: datetime = NOW) -> list[Finding]:
    project = Project(project="demo-seatlease", region="us-central1", endpoints={"scheduler": api.url})
    return check_jobs(project, now=now)


def changed(**fields: Any) -> Any:  # noqa: ANN401 JSON
    """The recording with fields of the job seatlease-expire-sessions changed; with None, taken away."""
    listed = recorded("jobs")
    job = listed["jobs"][0]
    for name, value in fields.items():
        if value is None:
            del job[name]
        else:
            job[name] = value
    return listed


def not_ok(findings: list[Finding]) -> list[tuple[str, str, str | None]]:
    return [(finding.subject, finding.found, finding.mend) for finding in findings if finding.mark is not Mark.OK]


def test_jobs_that_run_are_found_healthy(api: RecordedApi) -> None:
    findings = look(api)

    assert not_ok(findings) == []
    scheduled = [deployed_name(name) for name, trigger in triggers().items() if isinstance(trigger, OnSchedule)]
    asked = [f"{question} {name}" for name in scheduled for question in ("job", "schedule of", "last run of")]
    assert [finding.subject for finding in findings] == asked


def test_a_job_is_asked_for_in_the_region_by_googles_own_client(api: RecordedApi) -> None:
    look(api)

    assert api.heard == [JOBS]


def test_a_job_that_is_missing_is_wrong(api: RecordedApi) -> None:
    listed = recorded("jobs")
    del listed["jobs"][0]
    api.say(JOBS, listed)

    findings = look(api)

    assert not_ok(findings) == [
        ("job seatlease-expire-sessions", "missing, so nothing calls the function", APPLY),
    ]


WRONG = [
    (
        {"state": "PAUSED"},
        "job",
        "is paused",
        f"gcloud scheduler jobs resume seatlease-expire-sessions {WHERE}",
    ),
    ({"state": "DISABLED"}, "job", "has the state DISABLED", APPLY),
    ({"state": "UPDATE_FAILED"}, "job", "has the state UPDATE_FAILED", APPLY),
    (
        {"schedule": "*/5 * * * *"},
        "schedule of",
        "*/5 * * * * Etc/UTC, but infra/functions.json says * * * * * UTC",
        SET_SCHEDULE,
    ),
    (
        {"timeZone": "Europe/Berlin"},
        "schedule of",
        "* * * * * Europe/Berlin, but infra/functions.json says * * * * * UTC",
        SET_SCHEDULE,
    ),
    (
        {"status": {"code": 13, "message": "URL_UNREACHABLE"}},
        "last run of",
        "failed 0:00:29 ago: INTERNAL URL_UNREACHABLE",
        LOGS,
    ),
    (
        {"status": {"code": 7}},
        "last run of",
        "failed 0:00:29 ago: PERMISSION_DENIED",
        LOGS,
    ),
    (
        {"lastAttemptTime": None},
        "last run of",
        "the job has never run",
        f"gcloud scheduler jobs run seatlease-expire-sessions {WHERE}",
    ),
    (
        {"lastAttemptTime": "2026-11-24T11:54:00Z"},
        "last run of",
        "succeeded 0:06:30 ago, which is too long ago",
        f"gcloud scheduler jobs run seatlease-expire-sessions {WHERE}",
    ),
]


@pytest.mark.parametrize(("fields", "question", "found", "mend"), WRONG)
def test_a_job_that_does_not_do_its_work_is_wrong_and_the_command_mends_it(
    api: RecordedApi, fields: dict[str, Any], question: str, found: str, mend: str
) -> None:
    api.say(JOBS, changed(**fields))

    findings = look(api)

    assert not_ok(findings) == [(f"{question} seatlease-expire-sessions", found, mend)]
    assert {finding.mark for finding in findings} == {Mark.OK, Mark.WRONG}


@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC"])
def test_utc_by_either_of_its_names_is_utc(api: RecordedApi, zone: str) -> None:
    api.say(JOBS, changed(timeZone=zone))

    findings = look(api)

    assert not_ok(findings) == []


@pytest.mark.parametrize(("ago", "late"), [("0:06:00", False), ("0:06:01", True)])
def test_a_run_is_too_long_ago_after_the_jobs_interval_and_five_minutes(
    api: RecordedApi, ago: str, *, late: bool
) -> None:
    hours, minutes, seconds = map(int, ago.split(":"))
    last = NOW - timedelta(hours=hours, minutes=minutes, seconds=seconds)
    api.say(JOBS, changed(lastAttemptTime=last.strftime("%Y-%m-%dT%H:%M:%SZ")))

    findings = look(api)

    assert bool(not_ok(findings)) == late


@pytest.mark.parametrize(("schedule", "minutes"), [("* * * * *", 1), ("*/15 * * * *", 15), ("0 3 * * *", 24 * 60)])
def test_the_interval_of_a_schedule(schedule: str, minutes: int) -> None:
    assert interval_of(schedule, now=NOW) == timedelta(minutes=minutes)


# What could not be asked


def test_without_the_right_to_ask_nothing_is_healthy(api: RecordedApi) -> None:
    api.refuse_all(recorded("permission_denied"))

    (finding,) = look(api)

    assert (finding.mark, finding.found) == (Mark.UNKNOWN, "403 The caller does not have permission")
    assert finding.mend is not None
    assert finding.mend.startswith("gcloud projects add-iam-policy-binding demo-seatlease ")
    assert finding.mend.endswith("--role=roles/cloudscheduler.viewer")


def test_an_api_that_is_off_could_not_be_checked_and_is_switched_on_by_the_command(api: RecordedApi) -> None:
    api.refuse_all(recorded("service_disabled"))

    (finding,) = look(api)

    assert finding.mark is Mark.UNKNOWN
    assert finding.mend == "gcloud services enable cloudscheduler.googleapis.com --project=demo-seatlease"


def test_a_service_that_fails_could_not_be_checked(api: RecordedApi) -> None:
    api.refuse_all({"error": {"code": 503, "message": "try later", "status": "UNAVAILABLE"}}, status=503)

    (finding,) = look(api)

    assert (finding.mark, finding.found, finding.mend) == (Mark.UNKNOWN, "503 try later", None)


def test_a_service_that_cannot_be_reached_could_not_be_checked(unused_tcp_port: int) -> None:
    elsewhere = {"scheduler": f"http://127.0.0.1:{unused_tcp_port}"}

    (finding,) = check_jobs(Project(project="demo-seatlease", region="us-central1", endpoints=elsewhere))

    assert finding.mark is Mark.UNKNOWN


def test_without_credentials_nothing_could_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")

    (finding,) = check_jobs(Project(project="demo-seatlease", region="us-central1"))

    assert (finding.mark, finding.found) == (Mark.UNKNOWN, "this machine has no Google Cloud credentials")
    assert finding.mend == "gcloud auth application-default login"
