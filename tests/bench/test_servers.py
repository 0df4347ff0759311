"""The servers that are measured are the ones that are meant."""

import shutil
from pathlib import Path

import httpx
import pytest

from infra.local.processes import StartError
from tests.bench.default_server import require_default_servers
from tests.bench.servers import EMPTY
from tests.infra.bare_server import bare_server


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
