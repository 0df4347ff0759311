"""What a start is charged with."""

import sys
from pathlib import Path

import pytest

from infra.local.processes import StartError
from tests.programs.bench.startable import Startable


def startable(folder: Path, code: str) -> Startable:
    """A function with this code, in the environment of the tests."""
    folder.mkdir()
    (folder / "main.py").write_text(code)
    return Startable(name="answer", folder=folder, imports="main", programs=Path(sys.executable).parent)


def test_an_import_is_charged_with_what_it_computes_and_not_with_what_it_waits_for(tmp_path: Path) -> None:
    waits = startable(tmp_path / "waits", "import time; time.sleep(1)")
    computes = startable(tmp_path / "computes", "import time\nwhile time.process_time() < 1: pass")

    assert waits.import_cpu_seconds({}) < 1 <= computes.import_cpu_seconds({})


def test_what_cannot_be_imported_is_an_error_and_no_quick_import(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No module named 'nowhere'"):
        startable(tmp_path / "broken", "import nowhere").import_cpu_seconds({})


def test_the_first_answer_comes_after_what_the_start_waits_for(tmp_path: Path) -> None:
    code = (
        "import functions_framework, time\n"
        "time.sleep(1)\n"
        "@functions_framework.http\n"
        "def answer(request): return '', 204\n"
    )

    assert startable(tmp_path / "answers", code).first_answer_seconds({}) > 1


def test_a_server_that_ends_before_it_answers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="has the status None"):
        startable(tmp_path / "broken", "import nowhere").first_answer_seconds({})


def test_a_first_answer_that_is_a_failure_is_an_error(tmp_path: Path) -> None:
    code = "import functions_framework\n@functions_framework.http\ndef answer(request): return '', 500\n"

    with pytest.raises(StartError, match="has the status 500"):
        startable(tmp_path / "fails", code).first_answer_seconds({})
