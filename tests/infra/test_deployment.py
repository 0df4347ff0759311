"""What is deployed fits what the code, the lists and the documents say."""

import json
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from infra.build.stage import ROOT, function_names
from infra.build.triggers import OnDocument, OnRequest, OnSchedule, public_path, triggers
from infra.contracts.audit_table import COLUMNS, columns
from infra.local.portal_build import BUILT
from infra.terraform.offline.terraform import Terraform
from shared.edge.public_keys import PublicKeySet
from shared.edge.settings import Environment, Settings, settings
from shared.firestore.group_commit import MAX_GROUP
from tests.infra.planned import ENVIRONMENTS, Plan, run_tests

CLOUD_RUN_CPUS = 20
"""The quota of a new project in a region: infra/docs/limits.md."""

CALLED_BY = triggers()
FOR_CLIENTS = {name for name, trigger in CALLED_BY.items() if isinstance(trigger, OnRequest)}
SCHEDULED = {name: trigger.schedule for name, trigger in CALLED_BY.items() if isinstance(trigger, OnSchedule)}
FUNCTION = "google_cloudfunctions2_function"

each_function = pytest.mark.parametrize("name", function_names())
each_environment = pytest.mark.parametrize("environment", ENVIRONMENTS)


# Functions


@each_environment
def test_every_function_is_deployed(plans: Mapping[str, Plan], environment: str) -> None:
    assert sorted(plans[environment].of_kind(FUNCTION)) == function_names()


@each_function
def test_a_function_is_built_from_its_own_archive(plan: Plan, name: str) -> None:
    build = plan.of_kind(FUNCTION)[name]["build_config"][0]

    source = plan.of_kind("google_storage_bucket_object")[name]

    assert build["entry_point"] == name
    assert build["source"][0]["storage_source"][0]["object"] == source["name"]
    assert source["name"].startswith(f"{name}-")
    assert source["source"].endswith(f"/{source['name']}")


@each_environment
@each_function
def test_a_function_starts_with_the_settings_that_it_is_given(
    plans: Mapping[str, Plan], environment: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = plans[environment].of_kind(FUNCTION)[name]["service_config"][0]["environment_variables"]
    for variable in [each for each in os.environ if each.startswith("SEATLEASE_") or each.endswith("_EMULATOR_HOST")]:
        monkeypatch.delenv(variable)
    for variable, value in {**given, "K_SERVICE": name}.items():
        monkeypatch.setenv(variable, value)
    settings.cache_clear()

    found = settings()
    settings.cache_clear()

    assert found.environment is (Environment.DEVELOPMENT if environment == "development" else Environment.PRODUCTION)
    assert found.project == "demo-seatlease"
    assert f"seatlease-audit {found.database}" == f"{found.audit_topic} (default)"


@each_function
def test_a_function_is_given_only_settings_that_there_are(plan: Plan, name: str) -> None:
    given = plan.of_kind(FUNCTION)[name]["service_config"][0]["environment_variables"]

    ours = {f"SEATLEASE_{field.upper()}" for field in Settings.model_fields}

    assert set(given) <= {*ours, "GOOGLE_CLOUD_PROJECT", "LOG_EXECUTION_ID"}
    assert given["LOG_EXECUTION_ID"] == "false"


@each_environment
def test_what_signs_has_the_keys_from_the_secret_and_what_shows_them_only_the_public_ones(
    plans: Mapping[str, Plan], environment: str
) -> None:
    configs = {name: each["service_config"][0] for name, each in plans[environment].of_kind(FUNCTION).items()}

    secrets = {
        name: [(each["key"], each["secret"], each["version"]) for each in config["secret_environment_variables"]]
        for name, config in configs.items()
    }
    shown = {name: config["environment_variables"].get("SEATLEASE_PUBLIC_KEYS") for name, config in configs.items()}

    signing = [("SEATLEASE_SIGNING_KEYS", "seatlease-signing-keys", "1")]
    assert {name: each for name, each in secrets.items() if each} == {"acquire": signing, "heartbeat": signing}
    assert {name for name, text in shown.items() if text is not None} == {"acquire", "heartbeat", "keys"}
    assert PublicKeySet.model_validate_json(shown["keys"] or "").keys
    assert not any("SEATLEASE_SIGNING_KEYS" in config["environment_variables"] for config in configs.values())


@each_function
def test_a_function_has_more_time_than_it_takes(plan: Plan, name: str) -> None:
    config = plan.of_kind(FUNCTION)[name]["service_config"][0]
    given = config["environment_variables"]

    # Twelve seconds more than a run begins work in is what a run takes to end (infra/docs/settings.md).
    takes = int(given["SEATLEASE_RUN_WITHIN_SECONDS"]) + 12 if name in SCHEDULED else 8

    assert config["timeout_seconds"] > takes


@each_function
def test_requests_of_an_instance_fit_into_one_group(plan: Plan, name: str) -> None:
    assert plan.of_kind(FUNCTION)[name]["service_config"][0]["max_instance_request_concurrency"] <= MAX_GROUP


def test_few_instances_of_acquire_decide_for_many_requests_each(plan: Plan) -> None:
    acquire = plan.of_kind(FUNCTION)["acquire"]["service_config"][0]

    assert (acquire["max_instance_request_concurrency"], acquire["max_instance_count"]) == (200, 4)
    assert "| requests in one instance | 1,000; we set 200 |" in (ROOT / "infra/docs/limits.md").read_text()


def test_all_instances_together_fit_into_the_quota_of_a_new_project(plan: Plan) -> None:
    sizes = [each["service_config"][0] for each in plan.of_kind(FUNCTION).values()]

    cpus = sum(each["max_instance_count"] * float(each["available_cpu"]) for each in sizes)

    assert cpus <= CLOUD_RUN_CPUS


def test_functions_for_clients_that_people_wait_for_are_kept_warm_in_production_only(plans: Mapping[str, Plan]) -> None:
    warm = {
        environment: {
            name for name, each in plan.of_kind(FUNCTION).items() if each["service_config"][0]["min_instance_count"]
        }
        for environment, plan in plans.items()
    }

    assert warm == {"development": set(), "staging": set(), "production": {"acquire", "heartbeat"}}


# What calls them


def test_the_scheduler_calls_what_has_a_schedule_when_it_says(plan: Plan) -> None:
    jobs = plan.of_kind("google_cloud_scheduler_job")

    assert {name: job["schedule"] for name, job in jobs.items()} == SCHEDULED
    assert {job["time_zone"] for job in jobs.values()} == {"Etc/UTC"}


@pytest.mark.parametrize("name", SCHEDULED)
def test_the_scheduler_waits_as_long_as_the_function_may_take(plan: Plan, name: str) -> None:
    job = plan.of_kind("google_cloud_scheduler_job")[name]

    takes = plan.of_kind(FUNCTION)[name]["service_config"][0]["timeout_seconds"]

    assert job["attempt_deadline"] == f"{takes}s"
    assert job["http_target"][0]["oidc_token"][0]["service_account_email"].startswith("seatlease-scheduler@")


def test_every_document_event_calls_its_function(plan: Plan) -> None:
    wired = set()
    for trigger in plan.of_kind("google_eventarc_trigger").values():
        criteria = {each["attribute"]: (each["value"], each["operator"]) for each in trigger["matching_criteria"]}
        assert criteria.pop("database") == ("(default)", None)
        (kind, _), (document, operator) = criteria.pop("type"), criteria.pop("document")
        assert (criteria, operator) == ({}, "match-path-pattern")
        wired.add((trigger["destination"][0]["cloud_run_service"][0]["service"], kind, document))

    assert wired == {
        (f"seatlease-{name.replace('_', '-')}", f"google.cloud.firestore.document.v1.{event.event}", event.document)
        for name, trigger in CALLED_BY.items()
        if isinstance(trigger, OnDocument)
        for event in trigger.events
    }


def test_firebase_hosting_sends_each_path_of_the_api_to_its_function(plans: Mapping[str, Plan]) -> None:
    hosting = json.loads((ROOT / "infra/firebase.json").read_text())["hosting"]
    functions = {
        (public_path(name), function["name"], function["location"])
        for plan in plans.values()
        for name, function in plan.of_kind(FUNCTION).items()
        if name in FOR_CLIENTS
    }

    of_functions = [each for each in hosting["rewrites"] if "run" in each]
    rewrites = {(each["source"], each["run"]["serviceId"], each["run"]["region"]) for each in of_functions}

    assert rewrites == functions
    assert len(of_functions) == len(rewrites)
    assert ROOT / "infra" / hosting["public"] == BUILT
    assert (ROOT / "portal/404.html").is_file()


# The database


def test_the_indexes_are_those_of_the_list(plan: Plan) -> None:
    listed = json.loads((ROOT / "infra/firestore.indexes.json").read_text())["indexes"]

    made = [
        {
            "collectionGroup": index["collection"],
            "queryScope": index["query_scope"],
            "fields": [{"fieldPath": each["field_path"], "order": each["order"]} for each in index["fields"]],
        }
        for index in plan.of_kind("google_firestore_index").values()
    ]

    assert sorted(made, key=str) == sorted(listed, key=str)


def test_the_fields_have_the_indexes_and_policies_of_the_list(plan: Plan) -> None:
    listed = json.loads((ROOT / "infra/firestore.indexes.json").read_text())["fieldOverrides"]

    made = {
        (field["collection"], field["field"]): (
            {
                (each["query_scope"], each["order"] or each["array_config"])
                for each in field["index_config"][0]["indexes"]
            },
            bool(field["ttl_config"]),
        )
        for field in plan.of_kind("google_firestore_field").values()
    }

    assert made == {
        (field["collectionGroup"], field["fieldPath"]): (
            {(each["queryScope"], each.get("order") or each["arrayConfig"]) for each in field["indexes"]},
            field.get("ttl", False),
        )
        for field in listed
    }


@each_environment
def test_a_database_is_protected_but_for_trying_things(plans: Mapping[str, Plan], environment: str) -> None:
    database = plans[environment].one("google_firestore_database")

    is_protected = environment != "development"

    assert database["type"] == "FIRESTORE_NATIVE"
    assert database["database_edition"] == "STANDARD"
    assert (database["delete_protection_state"] == "DELETE_PROTECTION_ENABLED") is is_protected
    assert (database["point_in_time_recovery_enablement"] == "POINT_IN_TIME_RECOVERY_ENABLED") is is_protected


def test_the_rules_are_those_that_were_tried_on_the_emulator(plan: Plan) -> None:
    (file,) = plan.one("google_firebaserules_ruleset")["source"][0]["files"]

    assert file["content"] == (ROOT / "infra/firestore.rules").read_text()
    assert plan.one("google_firebaserules_release")["name"] == "cloud.firestore"


@each_environment
def test_a_protected_database_is_backed_up_daily(plans: Mapping[str, Plan], environment: str) -> None:
    schedules = plans[environment].of_kind("google_firestore_backup_schedule")

    kept = {name: each["retention"] for name, each in schedules.items() if len(each["daily_recurrence"]) == 1}

    assert kept == ({} if environment == "development" else {"daily": f"{14 * 24 * 60 * 60}s"})


def test_terraforms_requests_count_against_the_projects_own_quota() -> None:
    versions = (ROOT / "infra/terraform/versions.tf").read_text()

    (provider,) = re.findall(r'^provider "google" {\n(.*?)^}', versions, re.MULTILINE | re.DOTALL)

    assert re.findall(r"^  (user_project_override|billing_project) += (.+)$", provider, re.MULTILINE) == [
        ("user_project_override", "true"),
        ("billing_project", "var.project_id"),
    ]


@pytest.mark.long
def test_nothing_touches_the_default_database_of_another_app(terraform: Terraform, configured: Path) -> None:
    ran = run_tests(terraform, configured, file="existing_project")

    assert (ran.status, ran.plan is not None) == (0, True), ran.said
    assert ran.plan is not None
    named = [each.kind for each in ran.plan.resources if "(default)" in json.dumps(each.values)]
    rules = {each["name"] for each in ran.plan.of_kind("google_firebaserules_release").values()}
    assert (named, rules) == ([], {"cloud.firestore/seatlease"})
    assert not [each.kind for each in ran.plan.resources if "hosting" in each.kind or "identity" in each.kind]


# The audit trail


def test_the_topic_takes_what_the_schema_says(plan: Plan) -> None:
    schema = plan.one("google_pubsub_schema")

    topic = plan.one("google_pubsub_topic", "audit")

    assert (schema["type"], schema["definition"]) == (
        "PROTOCOL_BUFFER",
        (ROOT / "infra/contracts/audit-event.proto").read_text(),
    )
    assert topic["schema_settings"][0]["encoding"] == "JSON"
    assert topic["message_retention_duration"] == "604800s"
    assert topic["message_storage_policy"][0]["allowed_persistence_regions"] == ["europe-west1"]


def test_the_columns_in_bigquery_are_what_the_topics_schema_says() -> None:
    assert COLUMNS.read_text() == columns()


def test_the_table_has_a_column_for_each_field_and_for_what_pubsub_adds(plan: Plan) -> None:
    table = plan.one("google_bigquery_table", "messages")

    names = [column["name"] for column in json.loads(table["schema"])]

    fields = [column["name"] for column in json.loads(COLUMNS.read_text())]
    assert names == ["subscription_name", "message_id", "publish_time", "attributes", *fields]
    assert len(set(names)) == len(names)
    assert table["time_partitioning"][0]["field"] in names
    assert table["time_partitioning"][0]["expiration_ms"] == timedelta(days=400) // timedelta(milliseconds=1)


@each_environment
def test_the_trail_is_in_bigquery_where_the_variable_says(plans: Mapping[str, Plan], environment: str) -> None:
    plan = plans[environment]

    made = {each.name for each in plan.resources if "bigquery" in each.kind or each.name == "bigquery"}

    assert made == (set() if environment == "development" else {"audit", "messages", "events", "pubsub", "bigquery"})


def test_nothing_of_the_trail_is_given_up_for_good(plan: Plan) -> None:
    subscriptions = plan.of_kind("google_pubsub_subscription")

    dead_letters, bigquery = subscriptions["dead_letters"], subscriptions["audit"]

    assert [each["expiration_policy"][0]["ttl"] for each in (dead_letters, bigquery)] == ["", ""]
    assert bigquery["dead_letter_policy"][0]["max_delivery_attempts"] == 10
    assert (bigquery["topic"], dead_letters["topic"]) == ("seatlease-audit", "seatlease-audit-dead-letters")


def test_a_query_of_some_days_reads_the_partitions_of_these_days(plan: Plan) -> None:
    function = plan.one("google_bigquery_routine")

    filtered, _, windowed = function["definition_body"].partition("QUALIFY")

    assert function["routine_type"] == "TABLE_VALUED_FUNCTION"
    assert [each["name"] for each in function["arguments"]] == ["first_day", "last_day"]
    assert "WHERE publish_time >= TIMESTAMP(first_day) AND publish_time < TIMESTAMP(DATE_ADD(last_day" in filtered
    assert "PARTITION BY event_id" in windowed
