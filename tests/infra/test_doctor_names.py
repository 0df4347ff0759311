"""The doctor and the build look for what Terraform makes: its names are read from ``infra/terraform/*.tf``."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from ruamel.yaml import YAML

from infra.build.stage import ROOT
from infra.build.triggers import deployed_name, triggers
from infra.doctor.alerts import OURS
from infra.doctor.database import connect, firestore_of
from infra.doctor.options import REGION, Environment
from infra.doctor.project import Project, database_of, firestore_host_of
from shared.firestore.client import Firestore
from tests.infra.recorded_api import recorded

TERRAFORM = "\n".join(path.read_text() for path in sorted((ROOT / "infra/terraform").glob("*.tf")))
BUILD = YAML(typ="safe").load((ROOT / "cloudbuild.yaml").read_text())
TEST_BUILD = YAML(typ="safe").load((ROOT / "infra/build/cloudbuild-tests.yaml").read_text())


def block(kind: str, name: str) -> str:
    """One block of Terraform's files, by its two labels or one."""
    found = re.findall(rf'^{kind} "{name}" {{\n(.*?)^}}', TERRAFORM, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, (kind, name)
    return str(found[0])


def resource(kind: str, name: str) -> str:
    return block(f'resource "{kind}"', name)


def argument(text: str, name: str) -> str:
    """An argument at the block's own level, as it is written."""
    (value,) = re.findall(rf"^  {name} *= (.+)$", text, re.MULTILINE)
    return str(value)


@pytest.mark.parametrize("made", ["google_cloudfunctions2_function.function", "google_cloud_scheduler_job.run"])
def test_functions_and_jobs_are_called_as_the_doctor_calls_them(made: str) -> None:
    name = argument(resource(*made.split(".")), "name")

    assert name == '"seatlease-${replace(each.key, "_", "-")}"'
    assert {deployed_name(each) for each in triggers()} == {
        f"seatlease-{each.replace('_', '-')}" for each in triggers()
    }


def test_topics_and_subscriptions_are_called_as_the_doctor_calls_them() -> None:
    project = Project(project="p", region="r")

    assert argument(resource("google_pubsub_topic", "audit"), "name") == f'"{project.topic}"'
    assert argument(resource("google_pubsub_topic", "dead_letters"), "name") == f'"{project.dead_letter_topic}"'
    assert argument(resource("google_pubsub_subscription", "bigquery"), "name") == f'"{project.subscription}"'


def test_the_account_that_signs_the_canary_in_is_called_as_the_doctor_calls_it() -> None:
    name = json.loads(argument(resource("google_service_account", "canary"), "account_id"))

    assert Project(project="p", region="r").canary_account == f"{name}@p.iam.gserviceaccount.com"


def test_triggers_and_alerts_are_called_as_the_doctor_calls_them() -> None:
    trigger, alerts = resource("google_eventarc_trigger", "document"), ("above", "silent_scheduler")

    names = [json.loads(argument(resource("google_monitoring_alert_policy", each), "display_name")) for each in alerts]

    assert argument(trigger, "name") == '"seatlease-${replace(each.key, "_", "-")}"'
    assert argument(trigger, "location") == "local.database_location"
    assert all(name.startswith(OURS) for name in names)


def test_the_schema_that_terraform_makes_is_the_recorded_ones() -> None:
    name = json.loads(argument(resource("google_pubsub_schema", "audit"), "name"))

    assert recorded("schema")["name"].endswith(f"/{name}")


def test_jobs_are_scheduled_by_a_name_of_utc_that_the_doctor_knows() -> None:
    assert argument(resource("google_cloud_scheduler_job", "run"), "time_zone") == '"Etc/UTC"'


def test_the_usual_region_is_the_same_everywhere() -> None:
    region = json.loads(argument(block("variable", "region"), "default"))

    assert region == REGION == BUILD["substitutions"]["_REGION"]


@pytest.mark.parametrize("environment", list(Environment))
def test_every_environment_says_whether_its_trail_goes_to_bigquery(environment: Environment) -> None:
    project = Project(project="p", region="r", environment=environment.value)

    assert project.is_in_bigquery is (environment is not Environment.DEVELOPMENT)
    assert argument(block("variable", "audit_in_bigquery"), "default") == "false"


@pytest.mark.parametrize("environment", list(Environment))
def test_the_doctor_looks_at_the_environments_database(environment: Environment) -> None:
    assert database_of(environment) == json.loads(argument(block("variable", "database"), "default"))


@pytest.mark.parametrize("environment", list(Environment))
def test_an_operators_programs_call_firestore_where_the_functions_do(environment: Environment) -> None:
    assert firestore_host_of(environment) == json.loads(argument(block("variable", "firestore_host"), "default"))


@pytest.mark.parametrize(
    "connected",
    [
        lambda: firestore_of(Project(project="p", region="r", environment="east")),
        lambda: connect(project="p", environment="east", database=None, emulator_host=None),
    ],
    ids=["the doctor", "the others"],
)
def test_the_endpoint_of_a_location_is_taken_from_the_environments_file(
    connected: Callable[[], Firestore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "infra/terraform/environments/east.tfvars"
    file.parent.mkdir(parents=True)
    file.write_text('firestore_host = "firestore.us-east1.rep.googleapis.com"\n')
    called: list[str] = []

    def channel(address: str, **_: object) -> object:
        called.append(address)
        return grpc.insecure_channel("127.0.0.1:9")

    monkeypatch.setattr("infra.doctor.project.ROOT", tmp_path)
    monkeypatch.setattr("shared.firestore.rpc.grpc_helpers.create_channel", channel)

    with closing(connected()):
        pass

    assert called == ["firestore.us-east1.rep.googleapis.com:443"]


def test_an_environment_is_a_file_of_variables() -> None:
    files = {path.stem for path in (ROOT / "infra/terraform/environments").glob("*.tfvars")}

    assert files == {environment.value for environment in Environment}
    assert BUILD["substitutions"]["_ENVIRONMENT"] in files


def test_the_build_and_the_doctor_set_variables_that_there_are() -> None:
    variables = set(re.findall(r'^variable "(\w+)"', TERRAFORM, re.MULTILINE))

    texts = [str(BUILD), Project(project="p", region="r").apply, (ROOT / "infra/docs/deploy.md").read_text()]
    given = {name for text in texts for name in re.findall(r"-var=(\w+)=", text)}

    assert given == {"project_id", "region"}
    assert given <= variables


def test_the_tests_run_on_the_python_that_the_functions_run_on() -> None:
    runtime = json.loads(argument(block("variable", "runtime"), "default"))

    images = [step["name"] for build in (BUILD, TEST_BUILD) for step in build["steps"]]
    versions = {image.partition(":")[2] for image in images if "/python:" in image}

    assert len(versions) == 1
    assert runtime == "python" + "".join(versions.pop().split(".")[:2])


def test_the_account_that_deploys_is_none_of_those_that_terraform_makes() -> None:
    made = re.findall(r'account_id *= "([^"$]+)"', TERRAFORM)

    deploys = BUILD["substitutions"]["_BUILD_SERVICE_ACCOUNT"].partition("@")[0]

    assert "seatlease-build" in made
    assert deploys not in made
