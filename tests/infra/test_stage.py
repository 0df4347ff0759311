"""A function runs from its staged folder alone, as the platform runs it."""

import compileall
from pathlib import Path

import httpx
import pytest

from infra.stage import ROOT, function_names, stage
from tests.infra.bare_server import bare_server

METHODS = {"acquire": "POST", "heartbeat": "POST", "release": "POST", "usage": "GET"}
"""How each function is called. A new function needs its line here."""

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

        answer = httpx.request(METHODS[name], server.url, json={} if METHODS[name] == "POST" else None)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "TOKEN_MISSING")


@each_function
def test_an_entry_point_has_at_most_forty_lines(name: str) -> None:
    lines = (ROOT / "functions" / name / "main.py").read_text().splitlines()

    assert len(lines) <= 40


@each_function
def test_the_entry_function_has_its_folders_name(name: str) -> None:
    # The framework's registry is keyed by the bare function name.
    code = (ROOT / "functions" / name / "main.py").read_text()

    assert f"\nasync def {name}(request: Request) -> Response:\n" in code
