"""A function runs from its staged folder alone, as the platform runs it."""

import compileall
import re
from pathlib import Path

import httpx
import pytest

from infra.stage import ROOT, function_names, stage
from infra.triggers import triggers
from tests.infra.bare_server import bare_server

FIRST_ANSWERS = {
    "acquire": ("POST", 401),
    "expire_sessions": ("GET", 405),
    "heartbeat": ("POST", 401),
    "reconcile": ("GET", 405),
    "relay_audit": ("POST", 400),
    "release": ("POST", 401),
    "review_admin_edit": ("POST", 400),
    "sync_user_claims": ("POST", 400),
    "usage": ("GET", 401),
}
"""What each function answers, without a store, to an empty request of this method. A new function needs its line."""

each_function = pytest.mark.parametrize("name", function_names())


@each_function
def test_a_staged_function_holds_its_entry_the_shared_code_and_the_requirements(name: str, tmp_path: Path) -> None:
    folder = stage(name, tmp_path)

    assert sorted(path.name for path in folder.iterdir()) == ["main.py", "requirements.txt", "shared"]
    assert (folder / "main.py").read_text() == (ROOT / "functions" / name / "main.py").read_text()
    assert not list(folder.rglob("__pycache__"))


def test_staging_again_leaves_nothing_of_the_stage_before(tmp_path: Path) -> None:
    name = function_names()[0]
    (stage(name, tmp_path) / "shared" / "forgotten.py").touch()

    folder = stage(name, tmp_path)

    assert not (folder / "shared" / "forgotten.py").exists()


@each_function
def test_a_staged_function_compiles(name: str, tmp_path: Path) -> None:
    folder = stage(name, tmp_path)

    compiled = compileall.compile_dir(folder, quiet=1)

    assert compiled


@each_function
def test_a_staged_function_answers_without_the_rest_of_the_project(name: str, tmp_path: Path) -> None:
    with bare_server(name, stage(name, tmp_path)) as server:
        assert server.wait_until_it_answers_or_ends(), server.output

        method, status = FIRST_ANSWERS[name]
        answer = httpx.request(method, server.url, json={} if method == "POST" else None)

    assert answer.status_code == status


@each_function
def test_an_entry_point_has_at_most_forty_lines(name: str) -> None:
    lines = (ROOT / "functions" / name / "main.py").read_text().splitlines()

    assert len(lines) <= 40


@each_function
def test_the_entry_function_has_its_folders_name(name: str) -> None:
    # The framework's registry is keyed by the bare function name.
    code = (ROOT / "functions" / name / "main.py").read_text()

    assert re.search(rf"^async def {name}\(", code, re.MULTILINE)


def test_every_function_has_its_trigger_and_every_trigger_its_function() -> None:
    assert sorted(triggers()) == function_names()
