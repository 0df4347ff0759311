"""``seatlease login`` and ``logout`` with the real Auth emulator, and a seat by the sign-in that was kept."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from firebase_admin import auth

from infra.build.stage import ROOT
from tests.client.backends import RealBackend
from tests.client.commands import Terminal, bare_environment, command, run
from tests.client.conftest import BuildBackend
from tests.support.people import People, people_of

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
    before = run("run", "true", environment=environment)
    signed_in = run("login", environment=environment, told=f"{member}@example.com\n{_PASSWORD}\n")
    ran = run("run", "echo", "runs", environment=environment)
    healthy = run("doctor", environment=environment)
    token = run("token", environment=environment)
    signed_out = run("logout", environment=environment)
    after = run("run", "true", environment=environment)

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

    ran = run("run", "echo", "runs", environment={**environment, "SEATLEASE_REFRESH_TOKEN": refresh_token})

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


def test_on_a_terminal_the_password_is_asked_for_and_not_shown(member: str, environment: dict[str, str]) -> None:
    terminal = Terminal.running(command("login"), environment=environment)
    try:
        terminal.shows("E-mail: ")
        terminal.types(f"{member}@example.com\n")
        terminal.shows("Password: ")
        terminal.types(f"{_PASSWORD}\n")
        terminal.shows(f"signed in as {member}@example.com")

        assert terminal.ends() == 0
        assert _PASSWORD not in terminal.seen
    finally:
        terminal.stop()


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
    assert run("run", option, "x", "true", environment=environment).returncode == 2
