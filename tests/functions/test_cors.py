"""A browser lets web pages of other origins call the functions only where a setting names them."""

from collections.abc import Mapping

import httpx

from infra.local.loopback import NO_TLS
from infra.local.processes import Process
from tests.support.servers import StartServers

APP = "https://app.example.com"


def preflight(url: str, *, origin: str) -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return httpx.options(url, headers=asked, verify=NO_TLS, timeout=30)


def allowed_by(answer: httpx.Response) -> str | None:
    origin: str | None = answer.headers.get("access-control-allow-origin")
    return origin


def test_a_page_of_an_allowed_origin_may_call_and_read_and_no_other(start_servers: StartServers) -> None:
    url = start_servers("acquire", SEATLEASE_ALLOWED_ORIGINS=f"{APP},http://localhost:3000")["acquire"]

    asked, call = preflight(url, origin=APP), httpx.post(url, headers={"Origin": APP}, verify=NO_TLS, timeout=30)
    of_another = preflight(url, origin="https://app.example.com.evil.example")

    assert (asked.status_code, asked.content, allowed_by(asked)) == (204, b"", APP)
    assert asked.headers["access-control-allow-methods"] == "POST"
    may_be_sent = asked.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "if-none-match"} <= set(may_be_sent)
    assert (call.status_code, call.json()["error"]["code"], allowed_by(call)) == (401, "TOKEN_MISSING", APP)
    assert {"ETag", "Retry-After", "X-Request-Id"} <= set(call.headers["access-control-expose-headers"].split(", "))
    assert (of_another.status_code, allowed_by(of_another)) == (405, None)
    for answer in (asked, call, of_another):
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


def test_without_the_setting_no_page_of_another_origin_may_call(servers: Mapping[str, Process]) -> None:
    asked = preflight(servers["acquire"].url, origin=APP)

    assert (asked.status_code, asked.json()["error"]["code"], allowed_by(asked)) == (405, "METHOD_NOT_ALLOWED", None)
    assert "vary" not in asked.headers
