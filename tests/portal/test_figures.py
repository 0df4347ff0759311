"""The page's pure functions: its own tests, which Node runs, in time zones that differ from UTC in every way."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.local.portal_build import NO_NPM, PORTAL, find_npm, install

NODE = shutil.which("node") or "node"


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of ``portal/tests``, each as one program."""
    npm = find_npm()
    if npm is None or shutil.which(NODE) is None:
        pytest.skip(NO_NPM)
    esbuild = install(npm) / ".bin" / "esbuild"
    folder = tmp_path_factory.mktemp("bundled")
    tests = sorted(map(str, PORTAL.glob("tests/*.test.ts")))
    options = ["--bundle", "--platform=node", "--format=esm", "--out-extension:.js=.mjs", f"--outdir={folder}"]
    done = subprocess.run([esbuild, *tests, *options], cwd=PORTAL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(folder.glob("*.mjs"))


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Berlin",
        "Pacific/Kiritimati",
        *(pytest.param(zone, marks=pytest.mark.long) for zone in ("UTC", "Asia/Kathmandu", "America/St_Johns")),
    ],
)
def test_the_figures_and_words_of_the_page_hold_in_every_time_zone(bundled: list[Path], zone: str) -> None:
    environment = {**os.environ, "TZ": zone}

    done = subprocess.run(
        [NODE, "--test", *bundled], cwd=PORTAL, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
