"""What the preflight says of a project before a deployment. Recorded answers of Google's APIs: none has an emulator."""

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.build.preflight.apis import ASKED_BEFORE, needed_apis
from infra.build.preflight.cli import app
from infra.build.preflight.existing import OUR_DATABASE, our_site
from infra.build.preflight.policies import MEMBERS, PLACES
from infra.build.preflight.quotas import BUILD_CPUS, RUN_CPUS, needed_run_cpus
from infra.build.stage import ROOT
from infra.doctor.project import PUBLIC, variables_file
from tests.infra.planned import Plan
from tests.infra.recorded_api import RecordedApi, recorded, recorded_api
from tests.infra.recorded_preflight import (
    APP_ENGINE,
    BILLING,
    DATABASES,
    FIREBASE,
    OURS,
    RELEASES,
    RIGHTS,
    SERVICES,
    SIGN_IN,
    SITES,
    policy_of,
    quota_of,
    say_database,
    say_empty,
    say_existing,
    say_quota,
    say_rules,
    say_services,
)

FILE = variables_file("production")
PAGE = (ROOT / "infra/docs/deploy.md").read_text()
LIMITS = (ROOT / "infra/docs/limits.md").read_text()


@pytest.fixture
def api() -> Iterator[RecordedApi]:
    """Every service on one address, for a project that is ready and empty."""
    with recorded_api() as served:
        say_empty(served)
        yield served


def preflight(api: RecordedApi, *arguments: str) -> Result:
    elsewhere = [f"--endpoint={service}={api.url}" for service in PUBLIC]
    return CliRunner().invoke(app, ["--project=demo-seatlease", *elsewhere, *arguments])


def findings(api: RecordedApi, *arguments: str) -> dict[str, dict[str, Any]]:
    told = preflight(api, "--json", *arguments)
    return {finding["subject"]: finding for finding in json.loads(told.stdout)["findings"]}


# An empty project, and one with a Firebase app in it


def test_an_empty_project_that_is_ready_ends_with_0(api: RecordedApi) -> None:
    told = preflight(api)

    assert told.exit_code == 0, told.stdout
    assert f"**You see** `{told.stdout.splitlines()[-1]}`. **Do not go on before.**" in PAGE


def test_a_default_database_of_another_app_is_not_taken_over(api: RecordedApi) -> None:
    say_existing(api)

    told = preflight(api)

    assert told.exit_code == 1
    assert "2 wrong, 0 could not be checked" in told.stdout
    assert f'set database = "seatlease" in {FILE}: infra/docs/deploy.md#an-existing-firebase-project\n' in told.stdout


def test_with_a_database_of_our_own_nothing_of_another_app_has_to_be_merged(api: RecordedApi) -> None:
    say_existing(api)

    told = findings(api, "--database=seatlease")

    assert {finding["mark"] for finding in told.values()} == {"ok"}
    assert told["database seatlease"]["found"] == "is not there: the first apply makes it. Not touched: (default)"
    assert told["rules cloud.firestore/seatlease"]["found"].endswith("Not touched: cloud.firestore")
    assert told["Hosting site demo-seatlease-seatlease"]["found"].endswith("demo-blog, demo-seatlease")


def test_the_preflight_changes_nothing(api: RecordedApi) -> None:
    say_existing(api)

    preflight(api)

    assert {request for request in api.heard if not request.startswith("GET ")} == {RIGHTS}
    assert set(filter(None, api.bodies)) == set()


# What is wrong

Case = tuple[Callable[[RecordedApi], None], str, str, str]


def say_policy(constraint: str, rule: object) -> Callable[[RecordedApi], None]:
    return lambda api: api.say(policy_of(constraint), {"spec": {"rules": [rule]}})


def forget(request: str) -> Callable[[RecordedApi], None]:
    return lambda api: api.say(request, recorded("not_found"), status=404)


def say_audit_logs(api: RecordedApi, *configs: object) -> None:
    api.say(RIGHTS, {**recorded("iam_policy"), "auditConfigs": configs})


LOGGED = {
    "service": "datastore.googleapis.com",
    "auditLogConfigs": [
        {"logType": "DATA_READ"},
        {"logType": "DATA_WRITE", "exemptedMembers": ["user:olga@example.com"]},
    ],
}
"""What another app may have: Terraform's file keeps neither the reads nor Olga's exemption."""


def ours_elsewhere(api: RecordedApi) -> None:
    say_database(api, locationId="nam5")
    say_rules(api, "cloud.firestore", OURS)


def without_our_rules(api: RecordedApi) -> None:
    say_database(api)


WRONG: dict[str, Case] = {
    "no billing": (lambda api: api.say(BILLING, {}), "billing", "is off", "gcloud billing projects link"),
    "no Firebase": (forget(FIREBASE), "Firebase", "is not added", "projects:addfirebase demo-seatlease"),
    "no sign-in": (forget(SIGN_IN), "sign-in", "Firebase Authentication is not set up", "authentication"),
    "no account of Eventarc": (
        lambda api: api.say(RIGHTS, {"bindings": []}),
        "Eventarc's account",
        "has no role yet",
        "gcloud beta services identity create --service=eventarc.googleapis.com",
    ),
    "audit logs of another app": (
        lambda api: say_audit_logs(api, LOGGED),
        "Data Access audit logs",
        (
            "an apply would remove DATA_READ of datastore.googleapis.com; "
            "the exemption of user:olga@example.com from DATA_WRITE of datastore.googleapis.com"
        ),
        "add them to infra/terraform/audit_logs.tf",
    ),
    "too few CPUs for Cloud Run": (
        lambda api: say_quota(api, RUN_CPUS, 10_000),
        "Cloud Run CPUs in europe-west1",
        "10, but all functions together may take",
        "https://console.cloud.google.com/iam-admin/quotas",
    ),
    "no builds in the region": (
        lambda api: say_quota(api, BUILD_CPUS, 0),
        "Cloud Build CPUs in europe-west1",
        "0: this project may not build functions in this region",
        "us-central1",
    ),
    "only members of a domain": (
        say_policy(MEMBERS[0], {"values": {"allowedValues": ["C0123abcd"]}}),
        "allUsers",
        "iam.allowedPolicyMemberDomains forbids them",
        f"set grant_all_users = false in {FILE}, and read infra/docs/deploy.md#all-users",
    ),
    "only members of a managed policy": (
        say_policy(MEMBERS[1], {"enforce": True}),
        "allUsers",
        "iam.managed.allowedPolicyMembers forbids them",
        "grant_all_users = false",
    ),
    "another place": (
        say_policy(PLACES, {"values": {"allowedValues": ["in:us-locations"]}}),
        "resources in europe-west1",
        "gcp.resourceLocations allows only in:us-locations",
        "choose an allowed region",
    ),
    "no place": (say_policy(PLACES, {"denyAll": True}), "resources in europe-west1", "gcp.resourceLocations", "region"),
    "a database in Datastore mode": (
        lambda api: say_database(api, type="DATASTORE_MODE"),
        "database (default)",
        "is there, of the type DATASTORE_MODE",
        'set database = "seatlease"',
    ),
    "a database without rules": (
        without_our_rules,
        "database (default)",
        "is there, and has no rules",
        'set database = "seatlease"',
    ),
    "our database elsewhere": (
        ours_elsewhere,
        "database (default)",
        "is in nam5, not in europe-west1",
        f'set database_location = "nam5" in {FILE}',
    ),
    "an App Engine app elsewhere": (
        lambda api: api.say(APP_ENGINE, recorded("app_engine")),
        "App Engine",
        "an app in europe-west binds (default) to eur3, not europe-west1, and cannot be moved",
        f'set database = "seatlease" in {FILE}',
    ),
    "rules of another app": (
        lambda api: say_rules(api, "cloud.firestore", "service cloud.firestore {}"),
        "rules cloud.firestore",
        "are another app's",
        "merge them into infra/firestore.rules",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_stops_a_deployment_is_found_and_its_way_out_is_printed(api: RecordedApi, case: str) -> None:
    change, subject, found, mend = WRONG[case]
    change(api)

    told = findings(api)

    assert {name: each["mark"] for name, each in told.items() if each["mark"] != "ok"} == {subject: "wrong"}
    assert told[subject]["found"].startswith(found)
    assert mend in told[subject]["mend"]


@pytest.mark.parametrize("allowed", ["europe-west1", "in:europe-west1-locations", "in:eu-locations"])
def test_a_place_may_be_allowed_by_its_name_or_its_group(api: RecordedApi, allowed: str) -> None:
    say_policy(PLACES, {"values": {"allowedValues": [allowed]}})(api)

    assert findings(api)["resources in europe-west1"]["mark"] == "ok"


@pytest.mark.parametrize(
    ("region", "database", "found"),
    [
        ("europe-west1", "(default)", "an app in europe-west1, and (default) has to be in europe-west1 with it"),
        ("europe-west", "seatlease", "an app in europe-west, which binds only (default)"),
        (None, "(default)", "no app, so nothing has a place yet"),
    ],
)
def test_an_app_of_app_engine_may_be_where_it_binds_no_database_of_ours(
    api: RecordedApi, region: str | None, database: str, found: str
) -> None:
    if region is None:
        forget(APP_ENGINE)(api)
    else:
        api.say(APP_ENGINE, recorded("app_engine") | {"locationId": region})

    told = findings(api, f"--database={database}")

    assert {finding["mark"] for finding in told.values()} == {"ok"}
    assert told["App Engine"]["found"] == found


def test_audit_logs_that_an_apply_leaves_as_they_are_are_well(api: RecordedApi, plan: Plan) -> None:
    ours = [
        {
            "service": each["service"],
            "auditLogConfigs": [
                {"logType": log["log_type"], "exemptedMembers": log["exempted_members"] or []}
                for log in each["audit_log_config"]
            ],
        }
        for each in plan.of_kind("google_project_iam_audit_config").values()
    ]
    say_audit_logs(api, *ours, *({**LOGGED, "service": other} for other in ("allServices", "storage.googleapis.com")))

    assert findings(api)["Data Access audit logs"]["mark"] == "ok"
    assert any(log.get("exemptedMembers") for each in ours for log in each["auditLogConfigs"])


def test_our_own_database_after_a_deployment_is_well(api: RecordedApi) -> None:
    api.say(APP_ENGINE, recorded("app_engine"))
    say_database(api)
    say_rules(api, "cloud.firestore", OURS)

    told = findings(api)

    assert told["database (default)"]["found"] == "is there, with the rules of Seatlease"
    assert {finding["mark"] for finding in told.values()} == {"ok"}


def test_a_region_without_a_quota_of_its_own_has_that_of_all_regions(api: RecordedApi) -> None:
    told = findings(api, "--region=europe-west4")

    assert told["Cloud Run CPUs in europe-west4"]["found"].startswith("200; all functions together take at most")


# What could not be checked


def test_apis_that_are_off_are_switched_on_by_one_command_and_are_not_asked(api: RecordedApi) -> None:
    say_services(api, [name for name in needed_apis() if not name.startswith(("cloudbilling", "orgpolicy"))])

    told = findings(api)

    enable = "gcloud services enable cloudbilling.googleapis.com orgpolicy.googleapis.com --project=demo-seatlease"
    assert (told["APIs"]["mark"], told["APIs"]["mend"]) == ("wrong", enable)
    unknown = {name for name, each in told.items() if each["mark"] == "could not check"}
    assert unknown == {"billing", "allUsers", "resources in europe-west1"}
    assert {told[name]["mend"] for name in unknown} == {enable}
    assert BILLING not in api.heard


def test_one_request_switches_on_at_most_20_apis(api: RecordedApi) -> None:
    say_services(api, ["serviceusage.googleapis.com"])

    commands = findings(api)["APIs"]["mend"].split(" && ")

    named = [[word for word in command.split() if word.endswith(".googleapis.com")] for command in commands]
    assert sorted(chain(*named)) == [name for name in needed_apis() if name != "serviceusage.googleapis.com"]
    assert max(map(len, named)) <= 20


@pytest.mark.parametrize(
    ("request_", "subject", "role"),
    [
        (SERVICES, "APIs", "roles/serviceusage.serviceUsageViewer"),
        (BILLING, "billing", "roles/browser"),
        (RIGHTS, "IAM policy", "roles/iam.securityReviewer"),
        (quota_of(RUN_CPUS), "Cloud Run CPUs in europe-west1", "roles/servicemanagement.quotaViewer"),
        (policy_of(MEMBERS[0]), "allUsers", "roles/orgpolicy.policyViewer"),
        (DATABASES, "database (default)", "roles/datastore.viewer"),
        (APP_ENGINE, "App Engine", "roles/appengine.appViewer"),
        (RELEASES, "rules cloud.firestore", "roles/firebaserules.viewer"),
        (SITES, f"Hosting site {our_site('demo-seatlease')}", "roles/firebasehosting.viewer"),
    ],
)
def test_without_the_right_to_ask_it_could_not_be_checked(
    api: RecordedApi, request_: str, subject: str, role: str
) -> None:
    api.say(request_, recorded("permission_denied"), status=403)

    told = findings(api)

    assert [name for name, each in told.items() if each["mark"] != "ok"] == [subject]
    assert told[subject]["mark"] == "could not check"
    assert told[subject]["mend"].endswith(f"--role={role}")


def test_a_quota_that_google_does_not_list_could_not_be_checked(api: RecordedApi) -> None:
    forget(quota_of(BUILD_CPUS))(api)

    assert findings(api)["Cloud Build CPUs in europe-west1"]["mark"] == "could not check"


# It fits what is deployed


def test_it_looks_for_the_apis_and_the_cpus_of_what_terraform_makes(plan: Plan) -> None:
    services = {each["service"] for each in plan.of_kind("google_project_service").values()}
    sizes = [each["service_config"][0] for each in plan.of_kind("google_cloudfunctions2_function").values()]

    assert set(needed_apis()) == services | {f"{name}.googleapis.com" for name in ASKED_BEFORE}
    assert needed_run_cpus() == sum(each["max_instance_count"] * float(each["available_cpu"]) for each in sizes)
    assert f"the maxima of all functions add up to {needed_run_cpus():g} " in LIMITS


def test_the_deploy_page_uses_the_names_that_it_suggests() -> None:
    assert f'database = "{OUR_DATABASE}"' in PAGE
    assert our_site("$PROJECT") in PAGE
