"""The page that one deploys by names only what there is: headings, files, make's targets, the build's substitutions."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from infra.build.stage import ROOT

PAGE = ROOT / "infra/docs/deploy.md"
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


def test_every_target_of_make_on_the_page_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()

    targets = {
        target for line in re.findall(r"^make ([a-z -]+)", PAGE.read_text(), re.MULTILINE) for target in line.split()
    }

    assert targets == {"setup", "check", "doctor", "stage", "auth-emulator"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_every_substitution_on_the_page_is_one_of_the_build() -> None:
    declared = YAML(typ="safe").load((ROOT / "cloudbuild.yaml").read_text())["substitutions"]

    given = set(re.findall(r"(_[A-Z][A-Z_]*)=", " ".join(re.findall(r"--substitutions=(\S+)", PAGE.read_text()))))

    assert given
    assert given <= declared.keys()
