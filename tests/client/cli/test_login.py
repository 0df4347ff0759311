"""``seatlease login`` and ``logout`` with the real Auth emulator, and a seat by the sign-in that was kept."""

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from firebase_admin import auth

from infra.build.stage import ROOT
from infra.local.loopback import NO_TLS
from infra.local.processes import Process
from tests.client.backends import RealBackend
from tests.client.commands import Terminal, bare_environment, command, run, run_apart
from tests.client.conftest import BuildBackend
from tests.support.people import People, people_of
from tests.support.servers import StartGateway

PAGE = ROOT / "client/docs/sign-in.md"
_PASSWORD = "correct horse battery staple"


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=1)


@pytest.fixture
def people(functions_project: str, auth_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    with people_of(functions_project, auth_host, monkeypatch) as people:
        yield people


@pytest.fixture
def member(backend: RealBackend, people: People) -> str:
    """A new account, a member of the organization."""
    uid = people.sign_up()
    auth.set_custom_user_claims(uid, {"org_id": backend.tenant.organization_id}, app=people.app)
    backend.tenant.user(uid).set({"email": f"{uid}@example.com", "role": "member"})
    return uid


@pytest.fixture
def environment(backend: RealBackend, auth_host: str) -> dict[str, str]:
    return {
        **bare_environment(),
        "FIREBASE_AUTH_EMULATOR_HOST": auth_host,
        "SEATLEASE_URL": backend.proxy.url,
        "SEATLEASE_LICENSE_KEY": backend.tenant.license_key,
        "SEATLEASE_API_KEY": "any-key",
    }


def test_who_signed_in_runs_programs_until_signing_out(
    backend: RealBackend, member: str, environment: dict[str, str], tmp_path: Path
) -> None:
    before = run_apart("run", "true", environment=environment)
    signed_in = run("login", environment=environment, told=f"{member}@example.com\n{_PASSWORD}\n")
    ran = run_apart("run", "echo", "runs", environment=environment)
    healthy = run("doctor", environment=environment)
    token = run("token", environment=environment)
    signed_out = run("logout", environment=environment)
    after = run_apart("run", "true", environment=environment)

    assert (before.returncode, "seatlease login" in before.stderr) == (77, True)
    assert (signed_in.returncode, signed_in.stdout) == (0, "")
    assert jwt.decode(token.stdout.strip(), options={"verify_signature": False})["sub"] == member
    assert signed_in.stderr == f"seatlease: signed in as {member}@example.com at {backend.proxy.url}\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "runs\n", "")
    assert [session["user_id"] for session in backend.tenant.sessions()] == [member]
    assert (healthy.returncode, f"{member}@example.com, uid {member}" in healthy.stdout) == (0, True), healthy.stdout
    assert signed_out.stderr == f"seatlease: signed out of {backend.proxy.url}\n"
    assert after.returncode == 77
    assert not list((tmp_path / "config").rglob("*.json"))


def test_a_refresh_token_and_an_api_key_in_the_environment_are_a_sign_in(
    member: str, environment: dict[str, str], tmp_path: Path
) -> None:
    run("login", "--email", f"{member}@example.com", environment=environment, told=_PASSWORD)
    (kept,) = (tmp_path / "config").rglob("sign-in-*.json")
    refresh_token = kept.read_text().partition('"refresh_token": "')[2].partition('"')[0]
    kept.unlink()

    ran = run_apart("run", "echo", "runs", environment={**environment, "SEATLEASE_REFRESH_TOKEN": refresh_token})

    assert (ran.returncode, ran.stdout) == (0, "runs\n")
    assert not list((tmp_path / "config").rglob("sign-in-*.json"))


def test_a_program_signs_in_as_the_page_shows_and_takes_a_seat(
    backend: RealBackend, member: str, auth_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", auth_host)
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    shown: dict[str, Any] = {}
    exec(block, shown)  # noqa: S102 our own page
    shown["FIREBASE"] = f"http://{auth_host}/identitytoolkit.googleapis.com"

    with pytest.raises(ValueError, match="INVALID_"):
        shown["sign_in"](f"{member}@example.com", "wrong", "any-key")
    refresh_token = shown["sign_in"](f"{member}@example.com", _PASSWORD, "any-key")

    with shown["seat_of"](refresh_token, "any-key", backend.proxy.url, backend.tenant.license_key):
        assert [session["user_id"] for session in backend.tenant.sessions()] == [member]


@pytest.mark.long
def test_an_older_service_asks_for_the_password_on_a_terminal_and_does_not_show_it(
    member: str, environment: dict[str, str], start_gateway: StartGateway, servers: Mapping[str, Process]
) -> None:
    older = start_gateway({"usage": servers["usage"].url})
    terminal = Terminal.running(command("login"), environment={**environment, "SEATLEASE_URL": older.url})
    try:
        terminal.shows("offers no sign-in through a browser")
        terminal.shows("E-mail: ")
        terminal.types(f"{member}@example.com\n")
        terminal.shows("Password: ")
        terminal.types(f"{_PASSWORD}\n")
        terminal.shows(f"signed in as {member}@example.com")

        assert terminal.ends() == 0
        assert _PASSWORD not in terminal.seen
    finally:
        terminal.stop()


# Through a browser, which the test plays


@dataclass(frozen=True, kw_only=True)
class Browser:
    """A browser in which a person is signed in."""

    url: str
    id_token: str

    def sends(self, **step: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.id_token}"}
        answer = httpx.post(f"{self.url}/v1/sign-ins", json=step, headers=headers, verify=NO_TLS, timeout=30)
        return dict(answer.raise_for_status().json())


@pytest.fixture
def browser(backend: RealBackend, people: People, member: str) -> Browser:
    return Browser(url=backend.proxy.url, id_token=people.signs_in(member))


def _claims(environment: dict[str, str]) -> dict[str, Any]:
    token = run("token", environment=environment).stdout.strip()
    return dict(jwt.decode(token, options={"verify_signature": False}))


def test_who_confirms_in_a_browser_is_signed_in_on_the_terminal(
    backend: RealBackend, browser: Browser, member: str, environment: dict[str, str], tmp_path: Path
) -> None:
    opened = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    program.chmod(0o755)
    terminal = Terminal.running(command("login"), environment={**environment, "BROWSER": f"{program} %s"})
    try:
        shown = terminal.shows("seatlease login --device")
        sign_in_id = parse_qs(urlsplit(re.findall(r"on this machine: (\S+)", shown)[0]).query)["sign_in"][0]
        seen = browser.sends(step="look", sign_in_id=sign_in_id)
        decided = browser.sends(step="approve", sign_in_id=sign_in_id)
        address = decided["redirect_to"].partition("?")[0]
        of_another = httpx.get(address, params={"code": "c" * 43, "state": "of another"}, verify=NO_TLS)
        # Browsers open one more connection than they need, and keep it.
        with socket.create_connection(("127.0.0.1", urlsplit(address).port or 0)):
            taken = httpx.get(decided["redirect_to"], verify=NO_TLS)
            terminal.shows(f"signed in as {member}@example.com")
            assert terminal.ends() == 0
    finally:
        terminal.stop()
    assert "Traceback" not in terminal.seen
    assert (seen["device_name"], seen["same_address"], seen["needs_code"]) == (socket.gethostname(), True, False)
    assert opened.read_text() == f"{backend.proxy.url}/cli?sign_in={sign_in_id}\n"
    assert (of_another.status_code, taken.status_code, "You are signed in" in taken.text) == (200, 200, True)
    claims = _claims(environment)
    assert (claims["sub"], claims["org_id"]) == (member, backend.tenant.organization_id)
    assert (claims["firebase"]["sign_in_provider"], claims["signed_in_with"]) == ("custom", "password")
    (event,) = backend.tenant.events("user.signed_in_on_device")
    assert (event["user_id"], event["details"]["signed_in_with"]) == (member, "password")


@pytest.mark.long
def test_on_a_machine_without_a_browser_a_code_is_shown_to_type_elsewhere(
    browser: Browser, member: str, environment: dict[str, str]
) -> None:
    terminal = Terminal.running(command("login", "--device"), environment=environment)
    try:
        shown = terminal.shows("Ctrl-C gives up")
        typed = re.findall(r"type the code (\S+)", shown)[0]
        seen = browser.sends(step="look", user_code=typed)
        browser.sends(step="approve", sign_in_id=seen["sign_in_id"], user_code=typed)
        terminal.shows(f"signed in as {member}@example.com")

        assert terminal.ends() == 0
    finally:
        terminal.stop()
    assert _claims(environment)["sub"] == member


def test_a_refusal_in_the_browser_ends_login(browser: Browser, environment: dict[str, str], tmp_path: Path) -> None:
    terminal = Terminal.running(command("login"), environment=environment)
    try:
        shown = terminal.shows("seatlease login --device")
        sign_in_id = re.findall(r"\?sign_in=(\w+)", shown)[0]
        httpx.get(browser.sends(step="refuse", sign_in_id=sign_in_id)["redirect_to"], verify=NO_TLS)
        terminal.shows("refused in the browser")

        assert terminal.ends() == 77
    finally:
        terminal.stop()
    assert not list((tmp_path / "config").rglob("*.json"))


def test_ctrl_c_ends_the_waiting_with_a_sentence(environment: dict[str, str]) -> None:
    terminal = Terminal.running(command("login", "--device"), environment=environment)
    try:
        terminal.shows("Ctrl-C gives up")
        terminal.types("\x03")
        terminal.shows("interrupted: nobody was signed in")

        assert terminal.ends() == 130
    finally:
        terminal.stop()


@pytest.mark.long
def test_an_older_service_refuses_a_browser_that_was_asked_for(
    environment: dict[str, str], start_gateway: StartGateway, servers: Mapping[str, Process]
) -> None:
    older = {**environment, "SEATLEASE_URL": start_gateway({"usage": servers["usage"].url}).url}

    refused = [run("login", option, environment=older) for option in ("--browser", "--device")]

    assert [(each.returncode, "no sign-in through a browser" in each.stderr) for each in refused] == [(77, True)] * 2
    assert run("login", "--browser", "--device", environment=older).returncode == 2


@pytest.mark.parametrize("told", ["wrong\n", ""])
def test_without_the_right_password_nobody_is_signed_in(
    member: str, environment: dict[str, str], told: str, tmp_path: Path
) -> None:
    refused = run("login", "--email", f"{member}@example.com", environment=environment, told=told)

    assert (refused.returncode, "assword" in refused.stderr) == (77, True)
    assert not list((tmp_path / "config").rglob("*.json"))


@pytest.mark.parametrize("option", ["--password", "--id-token", "--refresh-token"])
def test_no_secret_can_be_given_as_an_argument(environment: dict[str, str], option: str) -> None:
    assert run("login", option, "x", environment=environment).returncode == 2
    assert run_apart("run", option, "x", "true", environment=environment).returncode == 2
