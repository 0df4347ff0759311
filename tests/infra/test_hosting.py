"""The page for organizations is served as ``infra/firebase.json`` says, here and in the cloud."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.build.stage import ROOT
from infra.local.gateway import gateway
from infra.local.hosting import CONFIGURATION, Hosting

HOSTING: dict[str, Any] = json.loads(CONFIGURATION.read_text())["hosting"]
SCREENS = ["/", "/history", "/people", "/license", "/activity", "/join"]
POLICY = "Content-Security-Policy"
EMULATOR = "127.0.0.1:9099"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    for name in ("index.html", "sign-in.html", "main.js", "style.css", "sign-in.json"):
        (tmp_path / name).write_text(f"this is {name}")
    return tmp_path


@pytest.fixture
def served(built: Path) -> httpx.AsyncClient:
    """A gateway with a page and one function."""
    hosting = Hosting.of(built, project="demo-page", auth_emulator_host=EMULATOR)
    app = gateway({"usage": "http://127.0.0.1:9"}, hosting=hosting)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


def in_the_cloud(path: str) -> dict[str, str]:
    """The headers that Firebase Hosting sets for a path."""
    (matching,) = [each["headers"] for each in HOSTING["headers"] if re.search(each["regex"], path)]
    return {header["key"]: header["value"] for header in matching}


def policy(text: str) -> dict[str, set[str]]:
    parts = [part.split() for part in text.split(";")]
    return {name: set(sources) for name, *sources in parts}


@pytest.mark.parametrize("path", [*SCREENS, "/sign-in", "/main.js", "/style.css", "/sign-in.json"])
async def test_each_path_of_the_page_has_the_clouds_headers_and_here_the_emulator_besides(
    served: httpx.AsyncClient, path: str
) -> None:
    answer = await served.get(path)

    assert answer.status_code == 200
    expected = in_the_cloud(path)
    ours = {name: answer.headers[name] for name in expected}
    if POLICY in expected:
        cloud, here = policy(expected.pop(POLICY)), policy(ours.pop(POLICY))
        assert here["connect-src"] - cloud["connect-src"] == {f"http://{EMULATOR}"}
        assert {**here, "connect-src": None, "frame-src": None} == {**cloud, "connect-src": None, "frame-src": None}
    assert ours == expected
    assert ours["Cache-Control"] == "no-cache"


def test_the_page_runs_no_script_but_its_own_and_makes_no_html_of_text() -> None:
    strict, sign_in = policy(in_the_cloud("/")[POLICY]), policy(in_the_cloud("/sign-in")[POLICY])

    assert strict["script-src"] == {"'self'"}
    assert strict["require-trusted-types-for"] == {"'script'"}
    assert sign_in["script-src"] - strict["script-src"] == {"https://apis.google.com"}
    for each in (strict, sign_in):
        assert each["default-src"] == each["frame-ancestors"] == each["base-uri"] == {"'none'"}
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "data:"} & (each["script-src"] | each["style-src"])


def test_every_screen_of_the_page_has_a_rewrite() -> None:
    main = (ROOT / "portal/src/main.ts").read_text()

    screens = set(re.findall(r'^  "(/[a-z-]*)": \(\)', main, re.MULTILINE)) - {"/"}

    pages = [each["regex"] for each in HOSTING["rewrites"] if each.get("destination") == "/index.html"]
    assert screens >= set(SCREENS) - {"/"}
    assert all(any(re.search(each, screen) for each in pages) for screen in screens)


async def test_a_page_that_has_not_changed_is_not_sent_again(served: httpx.AsyncClient, built: Path) -> None:
    first = await served.get("/history")

    again = await served.get("/history", headers={"If-None-Match": first.headers["ETag"]})
    (built / "index.html").write_text("a newer one")
    newer = await served.get("/history", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.text, again.status_code, again.text) == ("this is index.html", 304, "")
    assert (newer.status_code, newer.text) == (200, "a newer one")


async def test_the_page_learns_where_the_accounts_are(served: httpx.AsyncClient) -> None:
    told = (await served.get("/__/firebase/init.json")).json()

    assert told == {"apiKey": "local", "projectId": "demo-page", "authEmulatorHost": EMULATOR}


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/history/more", "/..%2Fsecret.js", "/%2e%2e/secret.js", "/v1/nothing", "/index.html/"],
)
async def test_what_is_no_part_of_the_page_is_not_found(served: httpx.AsyncClient, built: Path, path: str) -> None:
    (built.parent / "secret.js").write_text("a file beside the page")

    answer = await served.get(path)

    assert answer.status_code == 404
    assert "/v1/usage" in answer.text


async def test_the_page_takes_no_other_method(served: httpx.AsyncClient) -> None:
    assert (await served.post("/")).status_code == 404
    assert (await served.head("/")).status_code == 200
