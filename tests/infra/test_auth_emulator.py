"""The Auth emulator is a choice: where npm is missing nothing is installed, and everything else goes on."""

import sys
from pathlib import Path

import httpx
import pytest

from infra.local.auth import FIREBASE_TOOLS, NoNpmError, firebase_program, install
from infra.local.processes import Process, StartError


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, in the place of all others."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    return programs


def program(machine: Path, name: str, code: str) -> None:
    path = machine / name
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)


NPM = """
import pathlib, sys
folder = pathlib.Path(next(each for each in sys.argv if each.startswith("--prefix=")).partition("=")[2])
(folder / "asked").write_text(" ".join(sys.argv[1:]))
made = folder / "node_modules/firebase-tools/lib/bin/firebase.js"
made.parent.mkdir(parents=True)
made.touch()
"""


def test_without_npm_nothing_is_installed_and_it_is_said(machine: Path, tmp_path: Path) -> None:
    assert machine
    folder = tmp_path / "firebase"

    with pytest.raises(NoNpmError, match="npm is missing"):
        install(folder)

    assert not folder.exists()


def test_what_npm_installed_is_found(machine: Path, tmp_path: Path) -> None:
    program(machine, "npm", NPM)
    program(machine, "node", "")
    folder = tmp_path / "firebase"
    before = firebase_program(folder)

    install(folder)

    assert before is None
    assert firebase_program(folder) == folder / "node_modules/firebase-tools/lib/bin/firebase.js"
    asked = (folder / "asked").read_text().split()
    assert asked[0] == "install"
    assert asked[-1] == FIREBASE_TOOLS
    assert "--ignore-scripts" in asked


def test_what_npm_could_not_install_is_not_found_and_its_words_are_passed_on(machine: Path, tmp_path: Path) -> None:
    program(machine, "npm", NPM + "sys.exit('no space left')")
    program(machine, "node", "")
    folder = tmp_path / "firebase"

    with pytest.raises(StartError, match="no space left"):
        install(folder)

    assert firebase_program(folder) is None


def test_without_node_there_is_nothing_to_run_it_with(machine: Path, tmp_path: Path) -> None:
    program(machine, "npm", NPM)
    folder = tmp_path / "firebase"

    install(folder)

    assert firebase_program(folder) is None


def test_the_emulator_says_that_it_is_ready(auth_emulator: Process) -> None:
    answer = httpx.get(auth_emulator.url)

    assert answer.json()["authEmulator"]["ready"] is True
