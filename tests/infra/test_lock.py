"""The locks are of the requirements, and whole: what is installed from them is the same bytes everywhere."""

import json
import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.build.lock import Locked, LockError, locked, pin_of, read_lock
from infra.build.stage import ROOT, function_names, stage
from infra.local.auth import LOCKED
from tests.infra.clean_environment import run

LOCKS = {"requirements.txt": "requirements.lock", "requirements-dev.txt": "requirements-dev.lock"}
each_lock = pytest.mark.parametrize(("requirements", "lock"), LOCKS.items())

SMALL = """\
# written by a tool
a==1 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via -r requirements.txt
b-c==2 ; sys_platform != 'win32' \\
    --hash=sha256:bc
    # via
    #   a
    #   d
d==3 \\
    --hash=sha256:dd
    # via -r requirements.txt
e==4 \\
    --hash=sha256:ee
    # via b-c
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    lock = tmp_path / "requirements.lock"
    lock.write_text(SMALL)
    return lock


def _wanted(name: str) -> list[Requirement]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    included = [line.removeprefix("-r ") for line in lines if line.startswith("-r ")]
    wanted = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return [*(each for other in included for each in _wanted(other)), *wanted]


def _locked(name: str) -> dict[str, Locked]:
    return {entry.name: entry for entry in read_lock(ROOT / name)}


@each_lock
def test_every_requirement_is_locked_in_the_version_that_it_is_pinned_to(requirements: str, lock: str) -> None:
    found = _locked(lock)

    wanted = {canonicalize_name(each.name): str(each.specifier) for each in _wanted(requirements)}

    assert wanted == {name: f"=={found[name].version}" for name in wanted if name in found}


@each_lock
def test_nothing_is_locked_that_nothing_asks_for(requirements: str, lock: str) -> None:
    found = _locked(lock)

    asked_for: set[str] = {canonicalize_name(each.name) for each in _wanted(requirements)}
    while brought := {name for name in found if found[name].asked_for_by & asked_for} - asked_for:
        asked_for |= brought

    assert found.keys() == asked_for


@pytest.mark.parametrize("lock", LOCKS.values())
def test_every_file_has_a_hash(lock: str) -> None:
    for entry in read_lock(ROOT / lock):
        first, *hashes = entry.lines
        assert first.endswith("\\")
        assert hashes
        for line in hashes:
            assert re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}( \\)?", line), entry.name


@pytest.mark.parametrize("lock", LOCKS.values())
def test_what_is_locked_needs_nothing_else(lock: str) -> None:
    # As each distribution says of itself where it is installed; what only another platform needs is not.
    found, looked_at = _locked(lock), 0
    for name, entry in found.items():
        try:
            is_installed = version(name) == entry.version
        except PackageNotFoundError:
            continue
        looked_at += is_installed
        needed = [Requirement(text) for text in requires(name) or ()] if is_installed else []
        for each in needed:
            if each.marker is None or each.marker.evaluate({"extra": ""}):
                other = found.get(canonicalize_name(each.name))
                assert other is not None, f"{name} needs {each}"
                assert each.specifier.contains(other.version, prereleases=True), f"{name} needs {each}"
    assert looked_at > 0.9 * len(found)


def test_both_locks_agree() -> None:
    here, there = _locked("requirements.lock"), _locked("requirements-dev.lock")

    assert {name: entry.lines for name, entry in here.items()} == {name: there[name].lines for name in here}


def test_every_package_of_the_auth_emulator_has_a_hash_and_no_registry() -> None:
    wanted = json.loads((LOCKED / "package.json").read_text())["dependencies"]
    lock = json.loads((LOCKED / "package-lock.json").read_text())["packages"]

    packages = {place: entry for place, entry in lock.items() if place}
    asked_for = {name: packages[f"node_modules/{name}"]["version"] for name in lock[""]["dependencies"]}

    assert wanted == lock[""]["dependencies"] == asked_for
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not [place for place, entry in packages.items() if "resolved" in entry]


# What a function gets of it


def test_a_function_gets_what_it_asks_for_and_all_that_this_brings_along_with_hashes(small: Path) -> None:
    assert locked(["A==1"], small) == (
        *("a==1 \\", "    --hash=sha256:aa \\", "    --hash=sha256:ab"),
        *("b-c==2 ; sys_platform != 'win32' \\", "    --hash=sha256:bc"),
        *("e==4 \\", "    --hash=sha256:ee"),
    )
    assert [pin_of(line) for line in locked(["d[x]==3"], small) if "==" in line] == [
        ("b-c", "2"),
        ("d", "3"),
        ("e", "4"),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("a==2", "does not have a==2: run make lock", id="another version"),
        pytest.param("f==1", "does not have f==1: run make lock", id="what is not there"),
        pytest.param("a>=1", "pin it to one version", id="no version"),
    ],
)
def test_a_lock_of_other_requirements_is_refused(small: Path, line: str, told: str) -> None:
    with pytest.raises(LockError, match=told):
        locked([line], small)


def test_without_a_lock_nothing_is_staged(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="run make lock"):
        locked(["a==1"], tmp_path / "requirements.lock")


@pytest.mark.parametrize("name", function_names())
def test_a_staged_function_names_every_distribution_with_version_and_hashes(name: str, tmp_path: Path) -> None:
    staged = (stage(name, tmp_path) / "requirements.txt").read_text().splitlines()

    entries = list(read_lock(tmp_path / name / "requirements.txt"))
    everything = _locked("requirements.lock")
    assert {"functions-framework", "uvicorn", "gunicorn"} <= {entry.name for entry in entries}
    assert all(entry.lines == everything[entry.name].lines for entry in entries)
    assert not [line for line in staged if "#" in line]


def test_a_file_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    smallest = _locked("requirements.lock")["annotated-types"]
    requirements, install = tmp_path / "requirements.txt", ("pip", "install", "--no-deps", "--require-hashes")
    requirements.write_text("\n".join(smallest.lines))
    run(*install, "--target", str(tmp_path / "right"), "--requirements", str(requirements))
    requirements.write_text(re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", requirements.read_text()))

    with pytest.raises(AssertionError, match=r"[Hh]ash"):
        run(*install, "--target", str(tmp_path / "exchanged"), "--requirements", str(requirements))
