"""A failing test shows what it asked, what came back, and what the server logged about it."""

from pathlib import Path

import httpx

from tests.infra.little_server import little_server
from tests.support import exchanges


def test_a_failure_shows_the_request_the_answer_and_the_lines_of_its_request_id(tmp_path: Path) -> None:
    (tmp_path / "acquire.log").write_text('{"request_id": "other-1"}\n{"request_id": "my-request-1", "code": "X"}\n')
    with little_server(409) as server:
        httpx.post(f"{server.url}/v1/acquire", json={"license_key": "K"}, headers={"X-Request-Id": "my-request-1"})

    shown = exchanges.report(tmp_path)
    assert f"POST {server.url}/v1/acquire" in shown
    assert '{"license_key":"K"}' in shown
    assert "answered 409" in shown
    assert "told to say 409" in shown
    assert 'acquire: {"request_id": "my-request-1", "code": "X"}' in shown
    assert "other-1" not in shown
