"""``seatlease doctor``: what is wrong, and what to do. It takes no seat and shows no token."""

import json
import re
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from infra.local.tokens import unsigned_token
from seatlease.cli.checks import problem
from seatlease.cli.doctor import show
from tests.client.answering import Answer, answering, told
from tests.client.backends import RealBackend
from tests.client.commands import environment_of, run
from tests.client.conftest import BuildBackend


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=1)


def _findings(environment: dict[str, str], *, well: bool) -> dict[str, dict[str, Any]]:
    ran = run("doctor", "--json", environment=environment)
    told = json.loads(ran.stdout)
    assert (ran.returncode, told["ok"], ran.stderr) == (0 if well else 1, well, "")
    assert all(finding["advice"] for finding in told["findings"] if finding["status"] == "problem")
    return {finding["name"]: finding for finding in told["findings"]}


def test_where_all_is_well_each_thing_is_named(backend: RealBackend) -> None:
    environment = environment_of(backend)

    findings = _findings(environment, well=True)
    shown = run("doctor", environment=environment)

    assert set(findings) == {
        "address", "clock", "keys", "sign-in", "access", "license", "device", "sharing", "proxies",
    }  # fmt: skip
    assert findings["license"]["says"] == "L: 0 of 1 seats are in use"
    assert findings["address"]["says"].endswith(", in clear, on this machine")
    assert "uid m0" in findings["sign-in"]["says"]
    assert backend.tenant.organization_id in findings["sign-in"]["says"]
    assert findings["device"]["says"] == "hardware id laptop: set by SEATLEASE_HARDWARE_ID"
    assert "leases with: 1" in findings["keys"]["says"]
    assert len(shown.stdout.splitlines()) == len(findings)
    assert environment["SEATLEASE_ID_TOKEN"] not in shown.stdout + json.dumps(findings)
    assert backend.tenant.sessions() == []


def test_on_a_terminal_a_finding_is_wrapped_between_words_and_indented() -> None:
    terminal = Console(width=80, record=True, file=StringIO(), force_terminal=True)

    show(terminal, [problem("sign-in", "a word and more " * 6, "do something about it")])

    lines = [line.rstrip() for line in terminal.export_text().splitlines()]
    assert lines[0].startswith("problem sign-in  a word and more")
    assert lines[1:] == [" " * 17 + "a word and more a word and more", " " * 17 + "-> do something about it"]


@pytest.mark.parametrize(
    ("changed", "name", "says"),
    [
        ({"SEATLEASE_URL": "http://127.0.0.1:9"}, "address", "does not answer"),
        ({"SEATLEASE_ID_TOKEN": ""}, "sign-in", "Nobody is signed in"),
        ({"SEATLEASE_ID_TOKEN": "t-secret"}, "sign-in", "not an ID token"),
        ({"SEATLEASE_LICENSE_KEY": "ANOTHER"}, "license", "no license with this key"),
        ({"SEATLEASE_HARDWARE_ID": "x" * 300}, "device", "at most 256 characters"),
    ],
)
def test_a_problem_is_named_with_what_to_do(
    backend: RealBackend, changed: dict[str, str], name: str, says: str
) -> None:
    findings = _findings(environment_of(backend, **changed), well=False)

    assert findings[name]["status"] == "problem"
    assert says in findings[name]["says"]
    assert "t-secret" not in json.dumps(findings)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ({"is_active": False}, "L gives no seat: deactivated"),
        ({"expires_at": datetime(2020, 5, 1, tzinfo=timezone.utc)}, "L gives no seat: expired on 2020-0"),
        ({"starts_at": datetime(2190, 5, 1, tzinfo=timezone.utc)}, "L gives no seat: begins on 2190-0"),
        ({"max_concurrent_seats": 0}, "L gives no seat: its max is 0"),
        ({"max_concurrent_seats": "20"}, "gives no seat: fields to correct: max_concurrent_seats"),
    ],
    ids=str,
)
def test_a_license_that_gives_no_seat_is_a_problem(backend: RealBackend, edit: dict[str, Any], says: str) -> None:
    backend.tenant.license().update(edit)

    findings = _findings(environment_of(backend), well=False)

    assert findings["license"]["status"] == "problem"
    assert says in findings["license"]["says"]


def test_the_last_week_of_a_license_is_shown_with_its_days(backend: RealBackend) -> None:
    backend.edit(expires_at=datetime.now(timezone.utc) + timedelta(days=3.5))

    findings = _findings(environment_of(backend), well=True)

    assert re.search(r"; the license ends on \S+ \S+ \(in [34] days\)$", findings["license"]["says"])


def test_a_variable_that_holds_no_token_is_what_has_to_be_changed(backend: RealBackend) -> None:
    findings = _findings(environment_of(backend, SEATLEASE_ID_TOKEN="bad"), well=False)

    assert findings["sign-in"]["advice"].startswith("set SEATLEASE_ID_TOKEN to a new token")


@pytest.mark.parametrize("url", ["http://localhost:abc", "http://local\nhost", "localhost:8080", "https://"])
def test_what_is_no_address_is_said_so(backend: RealBackend, url: str) -> None:
    ran = run("doctor", environment=environment_of(backend, SEATLEASE_URL=url))

    assert ran.returncode == 2
    assert "must begin with https://" in " ".join(ran.stderr.replace("│", " ").split())


def test_tokens_of_nobodys_organization_and_of_yesterday_are_told_apart(backend: RealBackend, project: str) -> None:
    lonely = unsigned_token(project=project, organization_id=None, user_id="m0")
    old = unsigned_token(project=project, organization_id="o", user_id="m0", lifetime_seconds=-60)

    says = [
        _findings(environment_of(backend, SEATLEASE_ID_TOKEN=token), well=False)["sign-in"]["says"]
        for token in (lonely, old)
    ]

    assert "organization none" in says[0]
    assert "has expired" in says[1]


def test_whatever_else_answers_is_not_the_service(backend: RealBackend) -> None:
    with answering(Answer(content=b"<html>Please sign in to the network", content_type="text/html")) as portal:
        findings = _findings(environment_of(backend, SEATLEASE_URL=f"http://{portal.host}"), well=False)

    assert "something else answers" in findings["address"]["says"]
    assert "sign-in" not in findings  # no token is sent there
    assert portal.heard == [("/v1/usage", "")]


def test_a_clock_that_is_off_is_noticed(backend: RealBackend) -> None:
    error = {"code": "TOKEN_MISSING", "message": "m", "retryable": False, "request_id": "r", "details": {}}
    with answering(told({"error": error, "server_time": "2020-01-01T00:00:00Z"}, status=401)) as server:
        findings = _findings(environment_of(backend, SEATLEASE_URL=f"http://{server.host}"), well=False)

    assert findings["clock"]["status"] == "problem"
    assert "ahead of the service's" in findings["clock"]["says"]


@pytest.mark.parametrize(
    ("emulator", "url", "says"),
    [
        ("127.0.0.1:9099", "http://127.0.0.1:9", "go to the emulator at 127.0.0.1:9099 (FIREBASE_AUTH_EMULATOR_HOST)"),
        ("192.0.2.2:9099", "http://127.0.0.1:9", "is set to 192.0.2.2:9099 and ignored, because it is not on this"),
        ("127.0.0.1:9099", "https://127.0.0.1:9", "ignored, because the service's address begins with https://"),
        ("nonsense/", "http://127.0.0.1:9", "must be HOST:PORT"),
    ],
)
def test_an_emulator_in_the_environment_is_told_with_whether_it_counts(
    backend: RealBackend, emulator: str, url: str, says: str
) -> None:
    environment = environment_of(backend, FIREBASE_AUTH_EMULATOR_HOST=emulator, SEATLEASE_URL=url)

    findings = _findings(environment, well=False)  # nothing answers at the address

    assert says in findings["emulator"]["says"]
    assert (findings["emulator"]["status"] == "problem") is (emulator == "nonsense/")


def test_a_connection_in_clear_to_another_machine_is_told(backend: RealBackend) -> None:
    error = {"code": "TOKEN_MISSING", "message": "m", "retryable": False, "request_id": "r", "details": {}}
    with answering(told({"error": error, "server_time": "2020-01-01T00:00:00Z"}, status=401)) as proxy:
        elsewhere = {"SEATLEASE_URL": "http://licenses.example", "HTTP_PROXY": f"http://{proxy.host}"}
        environment = environment_of(backend, SEATLEASE_INSECURE="1", SEATLEASE_ID_TOKEN="", **elsewhere)
        findings = _findings(environment, well=False)

    assert findings["address"]["status"] == "problem"
    assert "in clear: tokens can be read on the way" in findings["address"]["says"]


def test_a_state_folder_that_cannot_be_written_and_a_proxy_are_told(backend: RealBackend, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    proxies = {"HTTP_PROXY": "http://me:pass-secret@proxy.example:3128", "NO_PROXY": "elsewhere"}
    environment = environment_of(backend, XDG_STATE_HOME=str(tmp_path / "file"), **proxies)

    findings = _findings(environment, well=False)
    bypassed = _findings(environment_of(backend, **{**proxies, "NO_PROXY": "127.0.0.1"}), well=True)

    assert findings["sharing"]["status"] == "problem"
    assert findings["proxies"]["says"] == "requests go through http://proxy.example:3128"
    assert bypassed["proxies"]["says"] == "none for 127.0.0.1 (NO_PROXY)"
    assert "pass-secret" not in json.dumps(findings)
