"""The page that one deploys by names only what there is: headings, files, make's targets, the build's substitutions."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from infra.build.preflight.apis import AT_ONCE, needed_apis
from infra.build.stage import ROOT
from infra.build.triggers import OnRequest, triggers

PAGE = ROOT / "infra/docs/deploy.md"
STEPS = PAGE.read_text().partition("\n## First deployment\n")[2].partition("\n## ")[0].split("\n### ")[1:]
FIRST_STAGE = ROOT / "infra/terraform/tests/variables.tftest.hcl"
COMMANDS = re.findall(r"^ *```bash\n(.*?)^ *```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
PAGES = sorted((ROOT / "infra/docs").glob("*.md"))
ALERTS_FILE = (ROOT / "infra/terraform/alerts.tf").read_text()


def alerts() -> list[str]:
    """The anchors that Terraform's alerts name: those of the list, and those written out."""
    listed = re.search(r"^  alerts = {\n(.*?)^  }", ALERTS_FILE, re.MULTILINE | re.DOTALL)
    assert listed is not None
    names = re.findall(r"^    (\w+) = {", listed[1], re.MULTILINE)
    written = re.findall(r"#alert-([a-z-]+)", ALERTS_FILE)
    return [*(name.replace("_", "-") for name in names), *written]


AT_LEAST = {"denials", "contention", "server-errors", "relay-backlog", "failed-calls", "silent-scheduler"}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of them where the page is read."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    named = re.findall(r'^<a id="([^"]+)"></a>$', page.read_text(), re.MULTILINE)
    return {*(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings), *named}


@pytest.mark.parametrize("alert", alerts())
def test_every_alert_has_its_part_of_the_runbook(alert: str) -> None:
    assert f"alert-{alert}" in anchors(PAGE)


def test_the_alerts_are_read_from_terraforms_file() -> None:
    assert set(alerts()) >= AT_LEAST


def test_the_runbook_is_of_alerts_that_there_are() -> None:
    parts = {title.replace(" ", "-") for title in re.findall(r"^### Alert (.+)$", PAGE.read_text(), re.MULTILINE)}

    assert parts == set(alerts())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text())

    lost = []
    for name, anchor in links:
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{name}#{anchor}")

    assert lost == []


def test_what_the_code_says_of_the_page_is_there() -> None:
    files = [*(ROOT / "infra").rglob("*.py"), *(ROOT / "infra").rglob("*.tf"), ROOT / "cloudbuild.yaml"]

    named = {anchor for file in files for anchor in re.findall(r"infra/docs/deploy\.md#([\w-]+)", file.read_text())}

    assert "the-canary" in named
    assert named <= anchors(PAGE)


def test_every_variable_is_set_before_it_is_used() -> None:
    known: set[str] = set()
    unset: list[str] = []
    for block in COMMANDS:
        for line in block.splitlines():
            known.update(re.findall(r"(?:^\s*export | |^\s*for )([A-Z_]+)(?==| in )", line))
            unset += [name for name in re.findall(r"\$([A-Z_]+)", line) if name not in known]

    assert {"PROJECT", "DATABASE", "SEATLEASE_CANARY_USER", "ROLE"} <= known
    assert unset == []


def test_documents_are_read_from_and_written_to_the_database_of_step_1() -> None:
    named = [name for block in COMMANDS for name in re.findall(r"(?:--database=|/databases/)([^\s/]+)", block)]

    assert set(named) == {'"$DATABASE"', "$DATABASE", "as-it-was", '(default)"'}
    assert named.count('(default)"') == 1  # to use another app's after all, it is imported into Terraform's state


def test_no_backup_schedule_is_made_beside_terraforms() -> None:
    assert "google_firestore_backup_schedule" in (ROOT / "infra/terraform/database.tf").read_text()
    assert "schedules create" not in PAGE.read_text()


def test_every_target_of_make_on_the_page_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()

    targets = {
        target
        for block in COMMANDS
        for line in re.findall(r"^ *make ([a-z -]+)", block, re.MULTILINE)
        for target in line.split()
    }

    assert targets == {"setup", "check", "doctor", "preflight", "stage", "auth-emulator", "portal", "resync"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.partition("\n")[0])
def test_a_step_says_what_one_sees_how_long_it_takes_and_what_to_do_otherwise(step: str) -> None:
    said = [words for words in ("**You see**", "**It takes**", "**If not:**", "**If not**") if words in step]

    assert said[:2] == ["**You see**", "**It takes**"]
    assert len(said) > 2
    assert "```bash" in step or "(admin-guide.md#" in step


def test_steps_are_numbered_in_one_path() -> None:
    assert [step.partition(".")[0] for step in STEPS] == [str(number) for number in range(1, 13)]


def test_the_apis_that_are_switched_on_are_those_that_the_preflight_looks_for() -> None:
    commands = re.findall(r"^gcloud services enable (.+) --project", PAGE.read_text(), re.MULTILINE)

    named = [command.split() for command in commands]

    assert sorted(name for names in named for name in names) == needed_apis()
    assert max(map(len, named)) <= AT_ONCE


def test_the_first_apply_makes_what_needs_minutes_before_the_rest_can_use_it() -> None:
    resources = "".join(path.read_text() for path in (ROOT / "infra/terraform").glob("*.tf"))
    slow = r'^resource "(google_project_iam_member|google_logging_metric|google_firestore_index)" "(\w+)"'

    targets = set(re.findall(r"-target=(\S+)", PAGE.read_text()))

    (tried,) = re.findall(r"    target = \[\n(.*?)    \]", FIRST_STAGE.read_text(), re.DOTALL)
    assert targets == set(re.findall(r"[\w.]+", tried))
    assert targets >= {f"{kind}.{name}" for kind, name in re.findall(slow, resources, re.MULTILINE)}
    assert not any("function" in target or "alert" in target for target in targets)


def test_as_many_images_are_built_as_there_are_functions() -> None:
    build = (ROOT / "cloudbuild.yaml").read_text()

    assert f"the platform builds {len(triggers())} images" in PAGE.read_text()
    assert f"{len(triggers())} images in rounds of three" in build
    assert "-parallelism=3 " in build


def test_all_functions_for_clients_are_opened_where_an_organization_forbids_public_ones() -> None:
    loops = re.findall(r"^for F in (.+); do$", "\n".join(COMMANDS), re.MULTILINE)

    for_clients = [name.replace("_", "-") for name, called in triggers().items() if isinstance(called, OnRequest)]

    assert len(loops) == 2
    assert all(sorted(loop.split()) == sorted(for_clients) for loop in loops)


def test_the_account_that_deploys_gets_as_many_roles_as_the_page_says() -> None:
    (loop,) = (block for block in COMMANDS if "for ROLE in" in block)

    assert f"once for each of the {len(re.findall(r'roles/', loop))} roles" in PAGE.read_text()


def test_builds_are_submitted_to_the_global_pool_from_a_bucket_of_our_own() -> None:
    commands = re.findall(r"^gcloud builds submit .+$", PAGE.read_text(), re.MULTILINE)

    files = {file for command in commands for file in re.findall(r"--config=(?:\.\./good/)?(\S+)", command)}

    assert files == {"cloudbuild.yaml", "infra/build/cloudbuild-tests.yaml"}
    assert all("--region" not in command for command in commands)
    assert all("--gcs-source-staging-dir=gs://$BUILD_BUCKET/source " in command for command in commands)


def test_hosting_is_deployed_to_a_site_of_its_own() -> None:
    target = json.loads((ROOT / "infra/firebase.json").read_text())["hosting"]["target"]

    deployed = re.findall(r"deploy --only (\S+)", PAGE.read_text())

    assert deployed == [f"hosting:{target}"]
    assert f"target:apply hosting {target} $SITE " in PAGE.read_text()


def test_every_substitution_on_the_page_is_one_of_the_build() -> None:
    declared = YAML(typ="safe").load((ROOT / "cloudbuild.yaml").read_text())["substitutions"]

    given = set(re.findall(r"(_[A-Z][A-Z_]*)=", " ".join(re.findall(r"--substitutions=(\S+)", PAGE.read_text()))))

    assert given
    assert given <= declared.keys()
