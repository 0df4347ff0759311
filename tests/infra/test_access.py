"""Who may do what in Google Cloud: this list, and nothing beside it."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.build.stage import function_names
from infra.build.triggers import OnRequest, triggers
from infra.terraform.offline.terraform import Terraform
from tests.infra.planned import Plan, Resource, copy_of, run_tests

PROJECT = "demo-seatlease"
DATABASE = f'resource.name == "projects/{PROJECT}/databases/(default)"'
SOURCES = " || ".join(
    f'resource.name == "projects/_/buckets/{bucket}" || resource.name.startsWith("projects/_/buckets/{bucket}/")'
    for bucket in ("gcf-v2-sources-123456789012-europe-west1", f"{PROJECT}-seatlease-sources")
)

THE_PROJECT = f"project {PROJECT}"
TOPIC, DEAD_LETTERS = "topic seatlease-audit", "topic seatlease-audit-dead-letters"
SIGNING_KEYS = "secret_id seatlease-signing-keys"
PUBSUB = "service-123456789012@gcp-sa-pubsub"
CLAIM_SETTER = f"projects/{PROJECT}/roles/seatlease.claimSetter"

Right = tuple[str, str, str, str]
"""Who, may do what (a role), on what, under which condition."""


def seats(function: str, role: str = "user") -> Right:
    """Every function but keys reads documents of the one database, and all but usage and history write them."""
    return (f"seatlease-{function}", f"roles/datastore.{role}", THE_PROJECT, DATABASE)


def call(caller: str, function: str) -> Right:
    return (caller, "roles/run.invoker", f"service seatlease-{function}", "")


RIGHTS: list[Right] = [
    # what functions may do
    seats("acquire"),
    seats("expire-sessions"),
    seats("heartbeat"),
    seats("history", "viewer"),
    seats("invitations"),
    seats("join"),
    seats("members"),
    seats("reconcile"),
    seats("relay-audit"),
    seats("release"),
    seats("review-admin-edit"),
    seats("summarize-usage"),
    seats("sync-user-claims"),
    seats("usage", "viewer"),
    ("seatlease-expire-sessions", "roles/pubsub.publisher", TOPIC, ""),
    ("seatlease-relay-audit", "roles/pubsub.publisher", TOPIC, ""),
    ("seatlease-sync-user-claims", CLAIM_SETTER, THE_PROJECT, ""),
    ("seatlease-acquire", "roles/secretmanager.secretAccessor", SIGNING_KEYS, ""),
    ("seatlease-heartbeat", "roles/secretmanager.secretAccessor", SIGNING_KEYS, ""),
    # who may call them
    call("allUsers", "acquire"),
    call("allUsers", "heartbeat"),
    call("allUsers", "history"),
    call("allUsers", "invitations"),
    call("allUsers", "join"),
    call("allUsers", "keys"),
    call("allUsers", "members"),
    call("allUsers", "release"),
    call("allUsers", "usage"),
    call("seatlease-scheduler", "expire-sessions"),
    call("seatlease-scheduler", "reconcile"),
    call("seatlease-scheduler", "summarize-usage"),
    call("seatlease-events", "relay-audit"),
    call("seatlease-events", "review-admin-edit"),
    call("seatlease-events", "sync-user-claims"),
    ("seatlease-events", "roles/eventarc.eventReceiver", THE_PROJECT, ""),
    # what building may do
    ("seatlease-build", "roles/logging.logWriter", THE_PROJECT, ""),
    ("seatlease-build", "roles/storage.objectViewer", THE_PROJECT, SOURCES),
    ("seatlease-build", "roles/artifactregistry.writer", "repository seatlease", ""),
    # what Pub/Sub itself may do
    (PUBSUB, "roles/pubsub.publisher", DEAD_LETTERS, ""),
    (PUBSUB, "roles/pubsub.subscriber", "subscription seatlease-audit-bigquery", ""),
    (PUBSUB, "roles/bigquery.dataEditor", "table_id messages", ""),
    (PUBSUB, "roles/bigquery.metadataViewer", "table_id messages", ""),
]

_GRANTS = re.compile(r"_iam_(?!(?:audit_config|custom_role)$)|_acl$|_access_control|_access$")
_ON = {
    "google_artifact_registry_repository_iam_member": "repository",
    "google_bigquery_table_iam_member": "table_id",
    "google_cloud_run_v2_service_iam_member": "name",
    "google_project_iam_member": "project",
    "google_pubsub_subscription_iam_member": "subscription",
    "google_pubsub_topic_iam_member": "topic",
    "google_secret_manager_secret_iam_member": "secret_id",
}
"""The argument that says what a right is on. A kind of grant that is not here fails the tests: it has to be judged."""


def rights(plan: Plan) -> Iterator[Right]:
    """Every right that a plan grants, whatever kind of resource grants it."""
    for resource in plan.resources:
        if _GRANTS.search(resource.kind):
            yield _right(resource)


def _right(resource: Resource) -> Right:
    argument, values = _ON[resource.kind], resource.values
    who = re.sub(r"^serviceAccount:|(?:@demo-seatlease)?\.iam\.gserviceaccount\.com$", "", values["member"])
    (condition,) = [each["expression"] for each in values["condition"]] or [""]
    kind = "service" if argument == "name" else argument
    return (who, values["role"], f"{kind} {values[argument]}", condition)


def test_everybody_has_the_rights_of_this_list_and_no_others(plan: Plan) -> None:
    granted = Counter(rights(plan))

    assert sorted(granted - Counter(RIGHTS)) == []
    assert sorted(Counter(RIGHTS) - granted) == []


def test_what_is_public_is_what_clients_call() -> None:
    public = {on for who, _, on, _ in RIGHTS if who in {"allUsers", "allAuthenticatedUsers"}}

    assert public == {f"service seatlease-{name}" for name, by in triggers().items() if isinstance(by, OnRequest)}


def test_edits_by_hand_and_reads_of_the_secret_are_logged_and_what_the_functions_write_is_not(plan: Plan) -> None:
    logged = plan.of_kind("google_project_iam_audit_config")

    kinds = {each["service"]: [log["log_type"] for log in each["audit_log_config"]] for each in logged.values()}
    exempted = {
        re.sub(r"^serviceAccount:|@.*$", "", member)
        for each in logged.values()
        for log in each["audit_log_config"]
        for member in log["exempted_members"] or []
    }
    assert kinds == {"datastore.googleapis.com": ["DATA_WRITE"], "secretmanager.googleapis.com": ["DATA_READ"]}
    assert exempted == {who for who, role, _, _ in RIGHTS if role.startswith("roles/datastore.")}


def test_no_right_is_an_owners_or_an_editors() -> None:
    roles = {role for _, role, _, _ in RIGHTS}

    assert not roles & {"roles/owner", "roles/editor", "roles/viewer", "roles/datastore.owner", "roles/firebase.admin"}


def test_the_one_role_of_the_projects_own_reads_and_updates_accounts_and_may_do_nothing_else(plan: Plan) -> None:
    role = plan.one("google_project_iam_custom_role")

    assert role["role_id"] == CLAIM_SETTER.rpartition("/")[2]
    assert sorted(role["permissions"]) == ["firebaseauth.users.get", "firebaseauth.users.update"]


def test_the_account_that_signs_the_canary_in_has_no_right(plan: Plan) -> None:
    account = plan.one("google_service_account", "canary")["account_id"]

    assert account == "seatlease-canary"
    assert account not in {who for who, _, _, _ in rights(plan)}


def test_every_function_runs_as_itself(plan: Plan) -> None:
    functions = plan.of_kind("google_cloudfunctions2_function")

    accounts = {name: each["service_config"][0]["service_account_email"] for name, each in functions.items()}

    assert accounts == {
        name: f"seatlease-{name.replace('_', '-')}@{PROJECT}.iam.gserviceaccount.com" for name in function_names()
    }


def test_the_one_secret_is_read_by_what_signs_and_terraform_never_sees_it(plan: Plan) -> None:
    assert plan.one("google_secret_manager_secret")["secret_id"] == "seatlease-signing-keys"
    assert set(plan.of_kind("google_secret_manager_secret_iam_member")) == {"acquire", "heartbeat"}
    assert not plan.of_kind("google_secret_manager_secret_version")


@pytest.mark.mutant
@pytest.mark.parametrize(
    ("written", "instead", "granted"),
    [
        pytest.param(
            'toset(["acquire", "heartbeat"])',
            'toset(["acquire", "heartbeat", "keys"])',
            ("seatlease-keys", "roles/secretmanager.secretAccessor", SIGNING_KEYS, ""),
            id="a function more that may read the signing keys",
        ),
        pytest.param(
            'toset(["sync_user_claims"])',
            'toset(["sync_user_claims", "acquire"])',
            ("seatlease-acquire", CLAIM_SETTER, THE_PROJECT, ""),
            id="a function more that changes accounts",
        ),
        pytest.param(
            'readers = toset(["usage", "history"])',
            'readers = toset(["history"])',
            ("seatlease-usage", "roles/datastore.user", THE_PROJECT, DATABASE),
            id="a function more that writes",
        ),
        pytest.param(
            "# Who may call them\n",
            'resource "google_project_iam_member" "more" {\n  project = var.project_id\n  role    = "roles/editor"\n'
            '  member  = "serviceAccount:${local.scheduler_email}"\n}\n',
            ("seatlease-scheduler", "roles/editor", THE_PROJECT, ""),
            id="a resource more",
        ),
        pytest.param(
            "databases/${google_firestore_database.seats.name}",
            "databases/",
            (
                "seatlease-release",
                "roles/datastore.user",
                THE_PROJECT,
                f'resource.name == "projects/{PROJECT}/databases/"',
            ),
            id="a wider condition",
        ),
    ],
)
def test_a_right_beyond_the_list_is_found(
    terraform: Terraform, configured: Path, tmp_path: Path, written: str, instead: str, granted: Right
) -> None:
    folder = copy_of(configured, tmp_path)
    file = folder / "access.tf"
    file.write_text(file.read_text().replace(written, instead, 1))

    plan = run_tests(terraform, folder).plan

    assert plan is not None
    assert granted in Counter(rights(plan)) - Counter(RIGHTS)
