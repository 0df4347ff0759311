"""The servers that are measured are the ones that are meant."""

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from infra.local.processes import Process, StartError
from tests.infra.bare_server import bare_server
from tests.programs.bench.default_server import require_default_servers
from tests.programs.bench.servers import EMPTY, Servers


def test_the_empty_function_is_served_by_the_default_threaded_server_and_not_by_the_one_for_async_functions(
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(Path(__file__).parent / EMPTY, tmp_path / EMPTY)

    with bare_server(EMPTY, folder) as server:
        assert server.wait_until_it_answers_or_ends(), server.output

        answer = httpx.get(server.url)

    assert (answer.status_code, answer.headers["server"]) == (204, "gunicorn")


@pytest.mark.parametrize("name", ["WORKERS", "THREADS", "DEBUG"])
def test_a_variable_that_changes_the_server_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "2")

    with pytest.raises(StartError, match=f"unset {name}"):
        require_default_servers()


def test_a_part_of_the_processes_looks_as_if_there_were_no_others(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as popen:
        started = {
            key: Process(name=key.partition("-")[0], popen=popen, log=tmp_path, url=f"http://{key}")
            for key in ("firestore", "acquire", "acquire-2", "acquire-3", "acquire-4", "release", "release-2")
        }

        later = Servers(running=started, work=tmp_path).part(2, 2)

    assert {key: process.url for key, process in later.running.items()} == {
        "firestore": "http://firestore",
        "acquire": "http://acquire-2",
        "acquire-2": "http://acquire-3",
        "release": "http://release-2",
    }
