"""What the doctor says of Firestore's indexes and TTL policies.

Recorded answers of the Firestore Admin API: the emulator keeps no indexes.
"""

from collections.abc import Iterator

import pytest

from infra.doctor.finding import Finding, Mark
from tests.infra.recorded_api import recorded, recorded_api
from tests.infra.recorded_indexes import DEFINITION, TTLS, Deployed, as_deployed, field_as_deployed, ttl

WHERE = "--database='(default)' --project=demo-seatlease"
APPLY = (
    "terraform -chdir=infra/terraform apply -var-file=environments/production.tfvars "
    "-var=project_id=demo-seatlease -var=region=us-central1"
)


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    with recorded_api() as api:
        yield Deployed(api)


def not_ok(findings: list[Finding]) -> list[tuple[str, str, str | None]]:
    return [(finding.subject, finding.found, finding.mend) for finding in findings if finding.mark is not Mark.OK]


def test_indexes_that_are_those_of_the_file_and_ready_are_healthy(deployed: Deployed) -> None:
    findings = deployed.look()

    assert not_ok(findings) == []
    assert len(findings) == len(DEFINITION["indexes"]) + len(DEFINITION["fieldOverrides"]) + len(TTLS)
    assert len(TTLS) == 4


# Composite indexes


def test_an_index_that_is_missing_is_wrong_and_the_command_makes_it(deployed: Deployed) -> None:
    of_events = ["license_id", "at"]
    fields = [[field["fieldPath"] for field in index["fields"][:2]] for index in deployed.indexes]
    deployed.indexes.pop(fields.index(of_events))

    findings = deployed.look()

    create = (
        "gcloud firestore indexes composite create --collection-group=audit_events --query-scope=collection "
        "--field-config=field-path=license_id,order=ascending --field-config=field-path=at,order=descending "
        f"{WHERE}"
    )
    subject = "index audit_events (license_id, at descending)"
    assert not_ok(findings) == [(subject, "missing, so its query fails", create)]


def test_an_index_in_another_direction_or_scope_is_another_index(deployed: Deployed) -> None:
    deployed.indexes[0]["queryScope"] = "COLLECTION_GROUP"

    findings = deployed.look()

    assert [(subject, found) for subject, found, _ in not_ok(findings)] == [
        ("index sessions (ended_at, lease_expires_at)", "missing, so its query fails"),
        (
            "index sessions (ended_at, lease_expires_at) everywhere",
            "needless: no query uses it, and every write pays for it",
        ),
    ]


def test_an_index_that_is_being_made_is_wrong_for_as_long(deployed: Deployed) -> None:
    deployed.indexes[0]["state"] = "CREATING"

    findings = deployed.look()

    wait = f"wait; gcloud firestore indexes composite describe id0 {WHERE} shows its state"
    assert not_ok(findings) == [
        ("index sessions (ended_at, lease_expires_at)", "is being built. Its query fails until it is ready", wait)
    ]


def test_an_index_that_needs_repair_is_wrong_and_made_again(deployed: Deployed) -> None:
    deployed.indexes[0]["state"] = "NEEDS_REPAIR"

    ((subject, found, mend),) = not_ok(deployed.look())

    assert subject == "index sessions (ended_at, lease_expires_at)"
    assert found == "has the state NEEDS_REPAIR, so its query fails"
    assert str(mend).startswith(f"gcloud firestore indexes composite delete id0 {WHERE} && ")
    assert "gcloud firestore indexes composite create --collection-group=sessions" in str(mend)


def test_an_index_that_no_query_needs_is_wrong_and_deleted(deployed: Deployed) -> None:
    fields = [{"fieldPath": "user_id", "order": "ASCENDING"}, {"fieldPath": "tags", "arrayConfig": "CONTAINS"}]
    extra = {"collectionGroup": "sessions", "queryScope": "COLLECTION", "fields": fields}
    deployed.indexes.append(as_deployed(extra, 99))

    findings = deployed.look()

    subject = "index sessions (user_id, tags contains)"
    found = "needless: no query uses it, and every write pays for it"
    delete = f"gcloud firestore indexes composite delete id99 {WHERE}"
    assert not_ok(findings) == [(subject, found, delete)]


# Single fields


def test_a_field_that_was_not_given_its_indexes_is_wrong(deployed: Deployed) -> None:
    deployed.fields.remove(deployed.field("sessions", "ended_at"))

    findings = deployed.look()

    found = "has the default indexes, not those of the file"
    assert not_ok(findings) == [("field sessions.ended_at", found, APPLY)]


def test_a_field_with_other_indexes_than_the_files_is_wrong(deployed: Deployed) -> None:
    deployed.field("sessions", "ended_at")["indexConfig"]["indexes"].pop()

    findings = deployed.look()

    found = (
        "indexed as ascending collection, descending collection, "
        "not ascending collection, descending collection, ascending collection_group"
    )
    assert not_ok(findings) == [("field sessions.ended_at", found, APPLY)]


@pytest.mark.parametrize("state", ["CREATING", "NEEDS_REPAIR"])
def test_a_field_whose_index_is_not_ready_is_wrong(deployed: Deployed, state: str) -> None:
    deployed.field("sessions", "ended_at")["indexConfig"]["indexes"][2]["state"] = state

    findings = deployed.look()

    assert not_ok(findings) == [("field sessions.ended_at", f"not ready: {state}", APPLY)]


def test_a_field_that_somebody_else_gave_indexes_is_wrong(deployed: Deployed) -> None:
    extra = {"collectionGroup": "licenses", "fieldPath": "name", "indexes": []}
    deployed.fields.append(field_as_deployed(extra))

    findings = deployed.look()

    clear = f"gcloud firestore indexes fields update name --collection-group=licenses --clear-exemption {WHERE}"
    found = "its indexes were changed, but the file does not list it"
    assert not_ok(findings) == [("field licenses.name", found, clear)]


def test_a_field_that_is_to_have_no_index_and_has_the_built_in_ones_is_wrong(deployed: Deployed) -> None:
    deployed.fields.remove(deployed.field("sessions", "lease_expires_at"))

    findings = deployed.look()

    found = "has the default indexes, not those of the file"
    assert not_ok(findings) == [("field sessions.lease_expires_at", found, APPLY)]


# TTL policies

TTL = "gcloud firestore fields ttls update purge_at --collection-group=sessions"


def test_a_ttl_policy_that_is_missing_is_wrong(deployed: Deployed) -> None:
    del deployed.ttls[0]

    findings = deployed.look()

    found = "missing, so nothing is ever purged"
    assert not_ok(findings) == [("TTL policy on sessions.purge_at", found, f"{TTL} --enable-ttl {WHERE}")]


def test_a_ttl_policy_that_is_being_made_is_wrong_for_as_long(deployed: Deployed) -> None:
    deployed.ttls[0]["ttlConfig"]["state"] = "CREATING"

    findings = deployed.look()

    wait = f"wait; gcloud firestore fields ttls list {WHERE} shows its state"
    found = "is being set up. Nothing is purged until it is active"
    assert not_ok(findings) == [("TTL policy on sessions.purge_at", found, wait)]


def test_a_ttl_policy_that_needs_repair_is_wrong(deployed: Deployed) -> None:
    deployed.ttls[0]["ttlConfig"]["state"] = "NEEDS_REPAIR"

    findings = deployed.look()

    again = f"{TTL} --disable-ttl {WHERE} && {TTL} --enable-ttl {WHERE}"
    found = "has the state NEEDS_REPAIR, so nothing is purged"
    assert not_ok(findings) == [("TTL policy on sessions.purge_at", found, again)]


def test_a_ttl_policy_that_nobody_asked_for_is_wrong(deployed: Deployed) -> None:
    deployed.ttls.append(ttl("users"))

    findings = deployed.look()

    disable = f"gcloud firestore fields ttls update purge_at --collection-group=users --disable-ttl {WHERE}"
    found = "deletes documents, but the file does not list it"
    assert not_ok(findings) == [("TTL policy on users.purge_at", found, disable)]


# What could not be asked


def test_without_the_right_to_ask_no_index_is_healthy(deployed: Deployed) -> None:
    deployed.api.refuse_all(recorded("permission_denied"))

    findings = deployed.look()

    assert [finding.mark for finding in findings] == [Mark.UNKNOWN] * 3
    assert all(str(finding.mend).endswith("--role=roles/datastore.viewer") for finding in findings)


def test_a_database_that_is_not_there_could_not_be_checked(deployed: Deployed) -> None:
    deployed.api.answers.clear()

    findings = deployed.look()

    assert [finding.mark for finding in findings] == [Mark.UNKNOWN] * 3
    assert findings[0].found == "404 Requested entity was not found."
