"""The .tf files, judged by terraform itself, with what the provider knows of its resources and without the provider."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.build.stage import ROOT
from infra.terraform.offline.schema import ProviderSchema
from infra.terraform.offline.terraform import CONFIGURATION, Terraform, used_resources
from tests.infra.planned import ENVIRONMENTS, Plan, copy_of, run_tests


@dataclass(frozen=True, kw_only=True)
class Slip:
    """Something written wrong in a file, and the words with which it has to be refused."""

    file: str
    written: str
    instead: str
    told: str


SLIPS = {
    "a misspelt argument": Slip(
        file="functions.tf", written="available_cpu ", instead="available_cpus ", told="Unsupported argument"
    ),
    "a misspelt argument of a nested block": Slip(
        file="scheduler.tf", written="audience ", instead="audiences ", told="Unsupported argument"
    ),
    "a misspelt block": Slip(
        file="functions.tf",
        written="matching_criteria {",
        instead="matching_criterion {",
        told="Unsupported block type",
    ),
    "a missing argument": Slip(
        file="database.tf",
        written="  location_id = local.database_location\n",
        instead="",
        told='The argument "location_id" is required',
    ),
    "a missing argument of a nested block": Slip(
        file="scheduler.tf",
        written="      service_account_email = local.scheduler_email\n",
        instead="",
        told='The argument "service_account_email" is required',
    ),
    "a missing block": Slip(
        file="secrets.tf",
        written="""  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
""",
        instead="",
        told="Insufficient replication blocks",
    ),
    "a block too many": Slip(
        file="topic.tf",
        written="  schema_settings {",
        instead='  schema_settings {\n    schema = "s"\n  }\n  schema_settings {',
        told="Too many schema_settings blocks",
    ),
    "a wrong type": Slip(
        file="scheduler.tf", written="retry_count = 0", instead='retry_count = "never"', told="a number is required"
    ),
    "a list for a text": Slip(
        file="secrets.tf", written='"seatlease-signing-keys"', instead='["key"]', told="string required"
    ),
    "a reference to a resource that is not there": Slip(
        file="topic.tf",
        written="google_pubsub_schema.audit.id",
        instead="google_pubsub_schema.audits.id",
        told="Reference to undeclared resource",
    ),
    "a reference to an attribute that is not there": Slip(
        file="rules.tf",
        written="google_firebaserules_ruleset.firestore.name",
        instead="google_firebaserules_ruleset.firestore.title",
        told="Unsupported attribute",
    ),
    "a variable that is not there": Slip(
        file="topic.tf", written="[var.region]", instead="[var.regions]", told="Reference to undeclared input variable"
    ),
    "a local value that is not there": Slip(
        file="functions.tf",
        written="local.run_within_seconds.reconcile + 30",
        instead="local.run_within.reconcile + 30",
        told="undeclared",
    ),
    "a resource that nobody provides": Slip(
        file="secrets.tf",
        written='resource "google_secret_manager_secret"',
        instead='resource "google_secret_manager_secrets"',
        told="does not support resource type",
    ),
    "a resource of the beta provider": Slip(
        file="secrets.tf",
        written="# The one secret",
        instead='resource "google_firebase_hosting_site" "site" {}\n# The one secret',
        told="does not support resource type",
    ),
    "a text that is none of the documented values": Slip(
        file="database.tf", written='"STANDARD"', instead='"STANDARDS"', told="must be one of STANDARD, ENTERPRISE"
    ),
    "a nested text that is none of the documented values": Slip(
        file="metrics.tf", written='"DISTRIBUTION"', instead='"DISTRIBUTED"', told="metric_descriptor.value_type is"
    ),
    "a file that is not there": Slip(
        file="rules.tf", written='firestore.rules")', instead='firestore.rule")', told="no file exists"
    ),
    "a slip in the syntax": Slip(
        file="rules.tf", written="source {", instead="source {{", told="block definition required"
    ),
}


APIS: Mapping[str, set[str]] = {
    "google_artifact_registry_repository": {"artifactregistry"},
    "google_artifact_registry_repository_iam_member": {"artifactregistry"},
    "google_bigquery_dataset": {"bigquery"},
    "google_bigquery_routine": {"bigquery"},
    "google_bigquery_table": {"bigquery"},
    "google_bigquery_table_iam_member": {"bigquery"},
    "google_cloud_run_v2_service_iam_member": {"run"},
    "google_cloud_scheduler_job": {"cloudscheduler"},
    "google_cloudfunctions2_function": {"artifactregistry", "cloudbuild", "cloudfunctions", "run"},
    "google_eventarc_trigger": {"eventarc"},
    "google_firebaserules_release": {"firebaserules"},
    "google_firebaserules_ruleset": {"firebaserules"},
    "google_firestore_backup_schedule": {"firestore"},
    "google_firestore_database": {"firestore"},
    "google_firestore_field": {"firestore"},
    "google_firestore_index": {"firestore"},
    "google_logging_metric": {"logging"},
    "google_monitoring_alert_policy": {"monitoring"},
    "google_monitoring_dashboard": {"monitoring"},
    "google_monitoring_notification_channel": {"monitoring"},
    "google_project_iam_audit_config": {"cloudresourcemanager"},
    "google_project_iam_custom_role": {"iam"},
    "google_project_iam_member": {"cloudresourcemanager"},
    "google_project_service": set(),
    "google_pubsub_schema": {"pubsub"},
    "google_pubsub_subscription": {"pubsub"},
    "google_pubsub_subscription_iam_member": {"pubsub"},
    "google_pubsub_topic": {"pubsub"},
    "google_pubsub_topic_iam_member": {"pubsub"},
    "google_secret_manager_secret": {"secretmanager"},
    "google_secret_manager_secret_iam_member": {"secretmanager"},
    "google_service_account": {"iam"},
    "google_service_account_iam_member": {"iam"},
    "google_storage_bucket": {"storage"},
    "google_storage_bucket_object": {"storage"},
}
"""What has to be switched on in a project before a resource of each kind can be made. A new kind needs its line."""


def changed(configured: Path, into: Path, slip: Slip) -> Path:
    """Copy the configuration with the slip in it."""
    folder = copy_of(configured, into)
    file = folder / slip.file
    assert slip.written in file.read_text()
    file.write_text(file.read_text().replace(slip.written, slip.instead, 1))
    return folder


def unwrapped(said: str) -> str:
    """What terraform said, without the frame and the line breaks around it."""
    return re.sub(r"[\s│╷╵]+", " ", said)


def test_every_file_is_formatted(terraform: Terraform) -> None:
    ran = terraform.run("fmt", "-check", "-recursive", "-diff", folder=CONFIGURATION)

    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_configuration_is_valid(terraform: Terraform, configured: Path) -> None:
    ran = terraform.run("validate", "-no-color", folder=configured)

    assert ran.returncode == 0, ran.stderr


@pytest.mark.mutant
@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_a_slip_is_found(terraform: Terraform, configured: Path, tmp_path: Path, slip: Slip) -> None:
    ran = terraform.run("validate", "-no-color", folder=changed(configured, tmp_path, slip))

    assert ran.returncode == 1
    assert slip.told in unwrapped(ran.stderr)


def test_terraform_starts_without_downloading_anything(terraform: Terraform, configured: Path, tmp_path: Path) -> None:
    folder = copy_of(configured, tmp_path)

    ran = terraform.run("init", "-backend=false", "-input=false", "-no-color", folder=folder)

    assert ran.returncode == 0, ran.stderr
    assert not list(folder.rglob("terraform-provider-*"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_terraforms_own_tests_pass_in_every_environment(plans: Mapping[str, Plan], environment: str) -> None:
    # They ran when the plans were made.
    assert plans[environment].resources


@pytest.mark.long
def test_terraforms_own_tests_of_the_variables_pass(terraform: Terraform, configured: Path) -> None:
    ran = run_tests(terraform, configured, file="variables")

    assert ran.status == 0, ran.said
    assert "13 passed, 0 failed" in ran.said


@pytest.mark.mutant
@pytest.mark.parametrize(
    "slip",
    [
        pytest.param(
            Slip(
                file="access.tf",
                written="? local.for_clients : []",
                instead="? toset(keys(local.triggers)) : []",
                told="five",
            ),
            id="everything is public",
        ),
        pytest.param(
            Slip(file="functions.tf", written='"ALLOW_INTERNAL_ONLY"', instead='"ALLOW_ALL"', told="from outside"),
            id="everything is reached from outside",
        ),
        pytest.param(
            Slip(
                file="scheduler.tf",
                written="= each.value",
                instead='= "0 0 * * *"',
                told="must have the schedule of functions.json",
            ),
            id="another schedule",
        ),
        pytest.param(
            Slip(
                file="functions.tf",
                written='acquire   = { cpu = "1"',
                instead='acquire   = { cpu = "0.5"',
                told="a whole CPU",
            ),
            id="half a CPU",
        ),
        pytest.param(
            Slip(
                file="functions.tf",
                written="  destination {",
                instead="  retry_policy {\n    max_attempts = 1\n  }\n\n  destination {",
                told="limit the deliveries",
            ),
            id="events that are delivered once",
        ),
    ],
)
def test_what_must_hold_of_every_environment_is_found_missing(
    terraform: Terraform, configured: Path, tmp_path: Path, slip: Slip
) -> None:
    ran = run_tests(terraform, changed(configured, tmp_path, slip))

    assert ran.status == 1
    assert slip.told in ran.said


def test_the_schema_at_hand_is_of_the_resources_in_use_and_of_a_version_that_is_allowed() -> None:
    schema = ProviderSchema.load()

    assert (set(schema.resources), set(schema.data_sources)) == used_resources()
    assert schema.version.startswith("8.7.")
    assert '"~> 8.7.0"' in (CONFIGURATION / "versions.tf").read_text()


def waits_for(terraform: Terraform, folder: Path) -> dict[str, set[str]]:
    """Which resources each one waits for, by way of others or not."""
    # Drawing the graph wants the backend, which is not to be reached here.
    versions = folder / "versions.tf"
    versions.write_text(versions.read_text().replace('backend "gcs" {}', ""))
    drawn = terraform.run("graph", folder=folder).stdout
    ahead: dict[str, set[str]] = {}
    for resource, other in re.findall(r'"(\w+\.\w+)" -> "(\w+\.\w+)"', drawn):
        ahead.setdefault(resource, set()).add(other)

    def before(resource: str) -> set[str]:
        return ahead.get(resource, set()).union(*map(before, ahead.get(resource, ())))

    resources = set(re.findall(r'"(google_\w+\.\w+)"', drawn))
    assert len(resources) > 30
    return {resource: before(resource) for resource in resources}


def before_the_apis(terraform: Terraform, folder: Path) -> set[str]:
    """The resources that do not wait until the APIs of the project are switched on."""
    apis = "google_project_service.api"
    return {each for each, before in waits_for(terraform, folder).items() if apis not in before} - {apis}


def test_a_new_version_of_a_function_waits_for_its_indexes_and_its_rights(
    terraform: Terraform, configured: Path, tmp_path: Path
) -> None:
    before = waits_for(terraform, copy_of(configured, tmp_path))

    assert before["google_cloudfunctions2_function.function"] >= {
        "google_firestore_index.composite",
        "google_firestore_field.override",
        "google_project_iam_member.database",
        "google_project_iam_member.claim_setter",
        "google_pubsub_topic_iam_member.publisher",
    }


def test_every_resource_waits_for_the_apis_of_an_empty_project(
    terraform: Terraform, configured: Path, tmp_path: Path
) -> None:
    assert before_the_apis(terraform, copy_of(configured, tmp_path)) == set()


@pytest.mark.mutant
def test_a_resource_that_does_not_wait_for_the_apis_is_found(
    terraform: Terraform, configured: Path, tmp_path: Path
) -> None:
    hasty = Slip(
        file="secrets.tf",
        written="  depends_on = [google_project_service.api]\n",
        instead="",
        told="nothing: it is valid",
    )

    found = before_the_apis(terraform, changed(configured, tmp_path, hasty))

    assert found == {"google_secret_manager_secret.signing_keys"}


def test_the_api_of_every_resource_is_switched_on(plan: Plan) -> None:
    needed = {api for kind in used_resources()[0] for api in APIS[kind]}

    switched_on = {
        each["service"].removesuffix(".googleapis.com") for each in plan.of_kind("google_project_service").values()
    }

    # Hosting is deployed beside Terraform. Functions verify tokens, set claims, and sign custom tokens.
    assert switched_on == needed | {"firebase", "firebasehosting", "iamcredentials", "identitytoolkit"}


def test_every_resource_is_of_the_project_and_region_that_the_variables_name(plan: Plan) -> None:
    places = {
        value
        for resource in plan.resources
        for argument in ("location", "region")
        if isinstance(value := resource.values.get(argument), str)
    }

    assert places == {"europe-west1"}


def test_names_are_short_enough_and_of_the_letters_that_are_allowed(plan: Plan) -> None:
    # Sources: the pages of IAM on service accounts, of Cloud Run on services.
    accounts = [each["account_id"] for each in plan.of_kind("google_service_account").values()]
    functions = [each["name"] for each in plan.of_kind("google_cloudfunctions2_function").values()]

    assert all(re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", account) for account in accounts)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{0,47}[a-z0-9]", function) for function in functions)


def test_terraform_keeps_nothing_in_the_repository() -> None:
    listed = ["git", "ls-files", "-co", "--exclude-standard", "infra"]
    files = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert not re.search(r"\.terraform|tfstate", files)
