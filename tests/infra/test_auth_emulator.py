"""The Auth emulator is a choice: where npm is missing nothing is installed, and everything else goes on."""

import json
import shutil
import sys
import tarfile
from base64 import b64encode
from hashlib import sha512
from pathlib import Path

import httpx
import pytest

from infra.local.auth import LOCKED, NoNpmError, firebase_program, install, start_auth
from infra.local.processes import Process, StartError, free_port


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
    assert asked[0] == "ci"
    assert "--ignore-scripts" in asked
    assert (folder / "package-lock.json").read_bytes() == (LOCKED / "package-lock.json").read_bytes()


def test_what_npm_could_not_install_is_not_found_and_its_words_are_passed_on(machine: Path, tmp_path: Path) -> None:
    program(machine, "npm", NPM + "sys.exit('no space left')")
    program(machine, "node", "")
    folder = tmp_path / "firebase"

    with pytest.raises(StartError, match="no space left"):
        install(folder)

    assert firebase_program(folder) is None


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is missing")
def test_a_package_with_another_hash_than_the_locks_is_not_installed(tmp_path: Path) -> None:
    package, archive, locked = tmp_path / "package.json", tmp_path / "small.tgz", tmp_path / "locked"
    package.write_text(json.dumps({"name": "small", "version": "1.0.0", "description": str(tmp_path)}))
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(package, arcname="package/package.json")
    wanted = {"dependencies": {"small": f"file:{archive}"}}

    def lock(contents: bytes) -> None:
        hashed = f"sha512-{b64encode(sha512(contents).digest()).decode()}"
        small = {"version": "1.0.0", "resolved": f"file:{archive}", "integrity": hashed}
        packages = {"": wanted, "node_modules/small": small}
        (locked / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))

    locked.mkdir()
    (locked / "package.json").write_text(json.dumps(wanted))
    lock(b"another package")

    with pytest.raises(StartError, match="EINTEGRITY"):
        install(tmp_path / "exchanged", locked=locked)

    assert not (tmp_path / "exchanged/node_modules/small/package.json").exists()
    lock(archive.read_bytes())
    install(tmp_path / "right", locked=locked)
    assert (tmp_path / "right/node_modules/small/package.json").exists()


def test_without_node_there_is_nothing_to_run_it_with(machine: Path, tmp_path: Path) -> None:
    program(machine, "npm", NPM)
    folder = tmp_path / "firebase"

    install(folder)

    assert firebase_program(folder) is None


def test_the_emulator_says_that_it_is_ready(auth_emulator: Process) -> None:
    answer = httpx.get(auth_emulator.url)

    assert answer.json()["authEmulator"]["ready"] is True


def test_the_emulator_gets_no_variable_of_the_developers_but_the_path(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    program(machine, "node", "import os; print(*os.environ)")

    process = start_auth(tmp_path / "firebase.js", port=free_port(), work=tmp_path / "work", project="p")

    process.popen.wait()
    seen = set(process.log.read_text().split()) - {"LC_CTYPE"}  # Python's own
    assert seen == {"PATH", "HOME", "XDG_CONFIG_HOME", "NO_UPDATE_NOTIFIER", "CI"}
