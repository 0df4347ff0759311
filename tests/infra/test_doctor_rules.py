"""What the doctor says of the security rules. Recorded answers of the Firebase Rules API, which has no emulator."""

from collections.abc import Iterator

import pytest

from infra.build.stage import ROOT
from infra.doctor.finding import Finding, Mark
from infra.doctor.project import Project
from infra.doctor.rules import check_rules
from tests.infra.recorded_api import RecordedApi, recorded, recorded_api

RELEASE = "GET /v1/projects/demo-seatlease/releases/cloud.firestore"
RULESET = f"GET /v1/{recorded('release')['rulesetName']}"
RULES = (ROOT / "infra/firestore.rules").read_text()
APPLY = (
    "terraform -chdir=infra/terraform apply -var-file=environments/production.tfvars "
    "-var=project_id=demo-seatlease -var=region=us-central1"
)


def ruleset(*contents: str) -> object:
    released = recorded("ruleset")
    (file,) = released["source"]["files"]
    released["source"]["files"] = [{**file, "content": content} for content in contents]
    return released


@pytest.fixture
def api() -> Iterator[RecordedApi]:
    with recorded_api() as served:
        served.say(RELEASE, recorded("release"))
        served.say(RULESET, ruleset(RULES))
        yield served


def look(api: RecordedApi, *, database: str = "(default)") -> Finding:
    elsewhere = {"rules": api.url}
    project = Project(project="demo-seatlease", region="us-central1", database=database, endpoints=elsewhere)
    (finding,) = check_rules(project)
    return finding


def test_rules_that_are_those_of_the_file_are_healthy(api: RecordedApi) -> None:
    finding = look(api)

    assert (finding.mark, finding.found) == (Mark.OK, "same as infra/firestore.rules since 2026-11-23T09:12:31.007412Z")


def test_a_named_database_has_a_release_of_its_own(api: RecordedApi) -> None:
    api.say(f"{RELEASE}/seats", recorded("release"))
    del api.answers[RELEASE]

    finding = look(api, database="seats")

    assert finding.mark is Mark.OK


CHANGED = RULES.replace("if false", "if true", 1)
LINE = next(number for number, line in enumerate(CHANGED.splitlines(), start=1) if "if true" in line)


@pytest.mark.parametrize(
    ("contents", "found"),
    [
        ([CHANGED], f"differ from infra/firestore.rules: line {LINE} reads 'allow read, write: if true;'"),
        ([RULES + "\n"], "differ from infra/firestore.rules: "),
        ([RULES.replace("\n", "\r\n")], "differ from infra/firestore.rules: "),
        ([RULES, RULES], "differ from infra/firestore.rules: 2 files are released"),
        ([""], "differ from infra/firestore.rules: 0 lines, but the file has "),
    ],
)
def test_rules_that_are_not_the_files_are_wrong(api: RecordedApi, contents: list[str], found: str) -> None:
    api.say(RULESET, ruleset(*contents))

    finding = look(api)

    assert finding.mark is Mark.WRONG
    assert finding.found.startswith(found)
    assert finding.mend == APPLY


def test_a_database_without_a_release_is_wrong(api: RecordedApi) -> None:
    del api.answers[RELEASE]

    finding = look(api)

    assert (finding.mark, finding.mend) == (Mark.WRONG, APPLY)
    assert finding.found == "none are released for this database"


def test_a_release_of_rules_that_are_gone_is_wrong(api: RecordedApi) -> None:
    del api.answers[RULESET]

    finding = look(api)

    assert finding.found == "the release names rules that do not exist"


@pytest.mark.parametrize("request_", [RELEASE, RULESET])
def test_without_the_right_to_ask_the_rules_could_not_be_checked(api: RecordedApi, request_: str) -> None:
    api.say(request_, recorded("permission_denied"), status=403)

    finding = look(api)

    assert (finding.mark, finding.found) == (Mark.UNKNOWN, "403 The caller does not have permission")
    assert str(finding.mend).endswith("--role=roles/firebaserules.viewer")


def test_an_api_that_is_off_could_not_be_checked(api: RecordedApi) -> None:
    api.refuse_all(recorded("service_disabled"))

    finding = look(api)

    assert finding.mark is Mark.UNKNOWN
    assert finding.mend == "gcloud services enable firebaserules.googleapis.com --project=demo-seatlease"
