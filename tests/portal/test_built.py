"""The page as it is built: its size, its types, and what its lock names."""

import gzip
import json
import re
from pathlib import Path

import pytest

from infra.local.portal_build import PORTAL, find_npm, run_in_portal

MOST_BYTES = 45_000
"""Of JavaScript, compressed, before a screen is seen."""


def scripts_of(entry: Path) -> set[Path]:
    """The script and all that it imports before it runs. What it imports later is not among them."""
    found, to_read = set(), [entry]
    while to_read:
        script = to_read.pop()
        if script not in found:
            found.add(script)
            imported = re.findall(r'(?:\bfrom|\bimport)"\./([^"]+\.js)"', script.read_text())
            to_read += [entry.parent / name for name in imported]
    return found


def test_the_scripts_of_each_page_are_small(built_page: Path) -> None:
    sizes = {
        entry: sum(len(gzip.compress(script.read_bytes())) for script in scripts_of(built_page / entry))
        for entry in ("main.js", "sign-in.js")
    }

    assert {entry: size for entry, size in sizes.items() if size > MOST_BYTES} == {}
    assert len(scripts_of(built_page / "main.js")) > 1, "the imports are found"


@pytest.mark.usefixtures("built_page")
def test_its_types_are_those_of_the_openapi_document(tmp_path: Path) -> None:
    fresh, npm = tmp_path / "answers.ts", find_npm()
    assert npm is not None
    contract = "../infra/contracts/openapi.json"

    run_in_portal(npm, "exec", "--", "openapi-typescript", contract, "--output", str(fresh))

    assert fresh.read_text() == (PORTAL / "src/answers.ts").read_text(), "run npm run generate in portal"


def test_every_package_has_a_hash_and_no_registry() -> None:
    wanted = json.loads((PORTAL / "package.json").read_text())
    lock = json.loads((PORTAL / "package-lock.json").read_text())["packages"]
    packages = {place: entry for place, entry in lock.items() if place}
    asked_for = {**wanted["dependencies"], **wanted["devDependencies"]}

    assert {name: packages[f"node_modules/{name}"]["version"] for name in asked_for} == asked_for
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not [place for place, entry in packages.items() if "resolved" in entry]
