"""What the doctor says of services, triggers, alerts and the database. Recorded answers: none has an emulator."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.build.stage import function_names
from infra.doctor.alerts import check_alerts
from infra.doctor.events import check_events
from infra.doctor.finding import Finding, Mark
from infra.doctor.project import Project
from infra.doctor.recovery import check_database
from infra.doctor.services import check_services
from tests.infra.recorded_api import RecordedApi, recorded, recorded_api
from tests.infra.recorded_deployment import (
    ALERTS,
    BACKUPS,
    DATABASE,
    say_alerts,
    say_deployment,
    say_services,
    say_triggers,
    services_in,
    triggers_in,
)

REGION = "europe-west1"
SERVICES = services_in(REGION)
TRIGGERS = triggers_in(REGION)


@pytest.fixture
def api() -> Iterator[RecordedApi]:
    with recorded_api() as served:
        say_deployment(served, region=REGION)
        yield served


def project(api: RecordedApi, environment: str = "production") -> Project:
    elsewhere = dict.fromkeys(("run", "firestore", "eventarc", "monitoring"), api.url)
    return Project(project="demo-seatlease", region=REGION, environment=environment, endpoints=elsewhere)


def not_well(findings: list[Finding]) -> list[Finding]:
    assert findings
    return [finding for finding in findings if finding.mark is not Mark.OK]


def test_services_that_are_ready_and_serve_their_newest_revision_are_well(api: RecordedApi) -> None:
    findings = check_services(project(api))

    assert len(findings) == len(function_names())
    assert not_well(findings) == []


def test_traffic_that_was_sent_to_an_older_revision_is_found(api: RecordedApi) -> None:
    share = {
        "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
        "revision": "seatlease-acquire-00002-xyz",
        "percent": 100,
    }
    say_services(api, acquire={"traffic": [share, {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "tag": "new"}]})

    (finding,) = not_well(check_services(project(api)))

    assert (finding.subject, finding.mark) == ("service seatlease-acquire", Mark.WRONG)
    assert finding.found == "its traffic stays at seatlease-acquire-00002-xyz, whatever is deployed"
    where = "--region=europe-west1 --project=demo-seatlease"
    assert finding.mend == f"gcloud run services update-traffic seatlease-acquire --to-latest {where}"


def test_a_service_that_does_not_start_is_found_with_its_reason(api: RecordedApi) -> None:
    failed = {"type": "Ready", "state": "CONDITION_FAILED", "message": "The container failed to start."}
    say_services(api, keys={"terminalCondition": failed})

    (finding,) = not_well(check_services(project(api)))

    assert finding.found == "is not ready: The container failed to start."


def test_a_service_that_is_not_there_is_found(api: RecordedApi) -> None:
    api.say(SERVICES, {"services": [recorded("run_service")]})

    findings = not_well(check_services(project(api)))

    assert len(findings) == len(function_names()) - 1
    assert {finding.found for finding in findings} == {"is not in europe-west1"}


def test_triggers_of_the_environments_database_in_its_location_are_well(api: RecordedApi) -> None:
    findings = check_events(project(api))

    assert not_well(findings) == []
    assert [finding.subject for finding in findings] == [
        "trigger seatlease-relay-audit-0",
        "trigger seatlease-sync-user-claims-0",
        "trigger seatlease-review-admin-edit-0",
        "trigger seatlease-review-admin-edit-1",
        "trigger seatlease-review-admin-edit-2",
    ]


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (
            {"eventFilters": [{"attribute": "database", "value": "another"}]},
            "is of the database another, so no event calls seatlease-relay-audit",
        ),
        (
            {"conditions": {"destination": {"code": "NOT_FOUND", "message": "The service was deleted."}}},
            "does not work (The service was deleted.), so no event calls seatlease-relay-audit",
        ),
    ],
)
def test_a_trigger_that_calls_nothing_is_found(api: RecordedApi, changed: dict[str, Any], found: str) -> None:
    say_triggers(api, **changed)

    assert not_well(check_events(project(api)))[0].found == found


def test_triggers_that_are_in_another_place_than_the_database_are_found(api: RecordedApi) -> None:
    api.say(TRIGGERS, {})

    findings = not_well(check_events(project(api)))

    assert {finding.found.partition(",")[0] for finding in findings} == {"is not in europe-west1"}


def test_alerts_that_are_on_and_sent_are_well(api: RecordedApi) -> None:
    (finding,) = check_alerts(project(api))

    assert (finding.mark, finding.found) == (Mark.OK, "2 are on, and each is sent to an address")


def test_alerts_without_an_address_are_found_where_nothing_may_be_lost(api: RecordedApi) -> None:
    say_alerts(api, notificationChannels=[])

    (finding,) = not_well(check_alerts(project(api)))

    assert finding.found == "they show in the console only, so no person hears of one"
    assert str(finding.mend).startswith('set alert_emails = ["..."] in infra/terraform/environments/production.tfvars')
    assert not_well(check_alerts(project(api, "development"))) == []


def test_an_alert_that_is_off_is_found(api: RecordedApi) -> None:
    say_alerts(api, enabled=False)

    (finding,) = not_well(check_alerts(project(api)))

    assert finding.found == "these are off: Clients get server errors"


def test_alerts_that_are_not_there_are_found(api: RecordedApi) -> None:
    api.say(ALERTS, {})

    (finding,) = not_well(check_alerts(project(api)))

    assert finding.found == "there are none"


def test_a_protected_database_is_well_with_recovery_protection_and_a_daily_backup(api: RecordedApi) -> None:
    findings = check_database(project(api))

    assert not_well(findings) == []
    assert [finding.subject for finding in findings] == [
        "database",
        "point-in-time recovery",
        "delete protection",
        "daily backup",
    ]
    assert findings[-1].found == "each is kept for 14 days"


@pytest.mark.parametrize(
    ("field", "subject"),
    [("pointInTimeRecoveryEnablement", "point-in-time recovery"), ("deleteProtectionState", "delete protection")],
)
def test_a_database_that_lost_its_protection_is_found(api: RecordedApi, field: str, subject: str) -> None:
    api.say(DATABASE, {**recorded("database"), field: ""})

    (finding,) = not_well(check_database(project(api)))

    assert (finding.subject, finding.found) == (subject, "is off")


def test_a_protected_database_without_a_daily_backup_is_found(api: RecordedApi) -> None:
    api.say(BACKUPS, {})

    (finding,) = not_well(check_database(project(api)))

    assert finding.found == "there is none: a deleted database is lost"


def test_an_environment_for_trying_things_wants_no_protection(api: RecordedApi) -> None:
    api.say(DATABASE, {**recorded("database"), "pointInTimeRecoveryEnablement": "", "deleteProtectionState": ""})
    api.say(BACKUPS, {})

    assert not_well(check_database(project(api, "development"))) == []


def test_a_database_that_is_not_there_is_found(api: RecordedApi) -> None:
    api.say(DATABASE, recorded("not_found"), status=404)

    found = {finding.subject: finding.found for finding in not_well(check_database(project(api)))}

    assert found == {"database": "there is none named (default)"}


@pytest.mark.parametrize(
    ("request_", "role"),
    [
        (SERVICES, "run.viewer"),
        (DATABASE, "datastore.viewer"),
        (BACKUPS, "datastore.backupSchedulesViewer"),
        (TRIGGERS, "eventarc.viewer"),
        (ALERTS, "monitoring.viewer"),
    ],
)
def test_without_the_right_to_ask_it_could_not_be_checked(api: RecordedApi, request_: str, role: str) -> None:
    api.say(request_, recorded("permission_denied"), status=403)

    asked = project(api)
    (finding,) = not_well([*check_services(asked), *check_database(asked), *check_events(asked), *check_alerts(asked)])

    assert finding.mark is Mark.UNKNOWN
    assert str(finding.mend).endswith(f"--role=roles/{role}")
