"""What a server or another user wrote never steers the terminal of the person who reads it."""

import json
from typing import Any

import pytest

from infra.local.tokens import unsigned_token
from tests.client.answering import Answer, answering, told
from tests.client.commands import bare_environment, run

STEERING = {
    "an escape": ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
    "C1": ("\x9b31mred", r"\x9b31mred"),
    "a bidi override": ("X\u202egnp.exe", r"X\u202egnp.exe"),
    "zero width": ("ad\u200bmin", r"ad\u200bmin"),
    "a line separator": ("two\u2028lines", r"two\u2028lines"),
    "a line break": ("two\r\nlines", r"two\r\nlines"),
    "a tag": ("a\U000e0041", r"a\U000e0041"),
}


@pytest.fixture(params=list(STEERING.values()), ids=list(STEERING))
def steering(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A text, and how it is shown."""
    text, shown = request.param
    return text, shown


def _environment(host: str) -> dict[str, str]:
    token = unsigned_token(project="demo", organization_id="acme", user_id="m0")
    return {
        **bare_environment(),
        "SEATLEASE_URL": f"http://{host}",
        "SEATLEASE_LICENSE_KEY": "KEY",
        "SEATLEASE_ID_TOKEN": token,
        "SEATLEASE_HARDWARE_ID": "laptop",
        "COLUMNS": "400",
    }


def _refusal(message: str) -> Answer:
    error = {"code": "OF_TOMORROW", "message": message, "retryable": False, "request_id": message, "details": {}}
    return told({"error": error, "server_time": "2026-03-02T09:14:07.250000Z"}, status=422)


def _seen(text: str) -> str:
    """Insist that nothing in the output steers a terminal, and give it."""
    assert all(line.isprintable() for line in text.split("\n")), text
    return text


@pytest.mark.parametrize("words", [["usage"], ["run", "true"]])
def test_an_errors_text_is_shown_escaped(words: list[str], steering: tuple[str, str]) -> None:
    text, shown = steering
    with answering(_refusal(text)) as server:
        ran = run(*words, environment=_environment(server.host))

    assert ran.returncode == 78
    assert _seen(ran.stderr) == f"seatlease: {shown} (OF_TOMORROW, request {shown})\n"


def test_the_tables_of_usage_are_shown_escaped(steering: tuple[str, str]) -> None:
    text, shown = steering
    with answering(told(_usage(text))) as server:
        ran = run("usage", environment=_environment(server.host))

    assert ran.returncode == 0
    # The warning, the organization, the license and its fields; of the session the license and the user. The device is
    # cut short.
    assert _seen(ran.stdout).count(shown) >= 5


def test_the_findings_of_the_doctor_are_shown_escaped(steering: tuple[str, str]) -> None:
    text, shown = steering
    error = {"code": "TOKEN_MISSING", "message": "m", "retryable": False, "request_id": "r", "details": {}}
    signed_out = told({"error": error, "server_time": "2026-03-02T09:14:07.250000Z"}, status=401)
    with answering(signed_out, told({}), told(_usage(text))) as server:
        ran = run("doctor", environment=_environment(server.host))

    assert f"the service accepts the token, for {shown}\n" in _seen(ran.stdout)
    assert f"{shown} gives no seat: fields to correct: {shown}\n" in ran.stdout


def test_what_is_printed_as_json_is_ascii(steering: tuple[str, str]) -> None:
    text, _ = steering
    with answering(told(_usage(text))) as server:
        ran = run("usage", "--json", environment=_environment(server.host))

    assert _seen(ran.stdout).isascii()
    assert json.loads(ran.stdout) == _usage(text)


def _usage(text: str) -> dict[str, Any]:
    at = "2026-03-02T09:14:07.250000Z"
    session = {
        "session_id": "a" * 26,
        "user_id": "m0",
        "user_email": text,
        "hardware_id": text,
        "ip_address": None,
        "user_agent": None,
        "started_at": at,
        "last_heartbeat_at": at,
        "lease_expires_at": at,
    }
    license_ = {
        "license_id": "license-1",
        "name": text,
        "status": "active",
        "is_active": True,
        "expires_at": None,
        "in_use": 1,
        "max": 1,
        "share": 1.0,
        "earliest_expiry_at": at,
        "misconfigured_fields": [text],
        "last_24_hours": None,
        "sessions": [session],
    }
    organization = {"organization_id": "acme", "name": text, "in_use": 1, "max": None}
    warning = {"code": "FULL", "license_id": "license-1", "number": 0, "at": None, "message": text}
    told = {"organization": organization, "licenses": [license_], "warnings": [warning]}
    return {**told, "next_page_token": None, "server_time": at}
