"""What servers print is looked through at the end of every run of the tests, and a line too many fails the run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from infra.build.stage import ROOT
from infra.local.serving import function_environment
from infra.local.tokens import unsigned_token
from shared.seats.license_keys import new_license_key
from tests.support.confidential import leaks_in

SIGNING_KEYS = function_environment(project="p", firestore="f", pubsub="p")["SEATLEASE_SIGNING_KEYS"]
TOKEN = unsigned_token(project="p", organization_id="o", user_id="m0")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        pytest.param("a token", TOKEN, id="an ID token"),
        pytest.param("a token", TOKEN.split(".")[1], id="a token's claims"),
        pytest.param("a token", jwt.encode({"a": 1}, "s" * 32, algorithm="HS256"), id="a signed token"),
        pytest.param("an Authorization header", "authorization: Bearer abcdefgh", id="a header"),
        pytest.param("a license key", "KEY-0123456789", id="a key of the tests"),
        pytest.param("a license key", new_license_key(), id="a key that was made"),
        pytest.param("a license key", "ACME-DESIGN-STUDIO", id="a key of the local stack"),
        pytest.param("a private key", SIGNING_KEYS, id="the keys that sign"),
        pytest.param("a private key", SIGNING_KEYS.replace('"', '\\"'), id="the same in a line of JSON"),
        pytest.param("a private key", "-----BEGIN PRIVATE KEY-----", id="PEM"),
        pytest.param("an e-mail address", "jane.doe+cad@example.com", id="an e-mail address"),
        pytest.param("an e-mail address", "?user=jane%40example.com", id="one in an address"),
        pytest.param("a hardware id", "laptop", id="a device"),
        pytest.param("a client's address", "203.0.113.9", id="an IP address"),
        pytest.param("a client's address", "2001:db8::1", id="one of version 6"),
    ],
)
def test_what_is_confidential_is_found_in_a_line_whatever_stands_around_it(kind: str, said: str) -> None:
    assert kind in leaks_in(f'{{"message": "it said \\"{said}\\" to us", "severity": "INFO"}}')


@pytest.mark.parametrize(
    "line",
    [
        '{"message": "answered", "status": 404, "code": "LICENSE_NOT_FOUND", "request_id": "0b969172141f4840"}',
        '{"document": "organizations/org-1/sessions/oxs53mtkyn6n2b5xuvg5cz3k3a", "fields": ["license_key"]}',
        'File "/tmp/stage/acquire/shared/edge/http.py", line 52, in serve',
        "refusing to start: the signing key (Zt7QmBl2oyHnJGy5nRkYV0zK5oyUu7bT5Iq1hwQX7wE) is not published",
    ],
)
def test_what_servers_have_to_print_is_not_confidential(line: str) -> None:
    assert leaks_in(line) == []


DOCTORED = """
def test_which_starts_a_server(tmp_path_factory):
    logs = tmp_path_factory.mktemp("acquire") / "logs"
    logs.mkdir()
    (logs / "{server}.log").write_text("fine\\n" + '{{"message": "a fault of ours: {said}"}}' + "\\n")

def test_which_runs_after_it():
    pass
"""


def _run(folder: Path, *, workers: int, server: str, said: str) -> subprocess.CompletedProcess[str]:
    """Run a folder of doctored tests under the conftest of all tests."""
    folder.mkdir()
    for number in range(2):
        test = folder / f"test_{number}.py"
        test.write_text(DOCTORED.format(server=server, said=said) if number == 0 else "def test_else(): pass\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.conftest",
        f"-n{workers}",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    try:
        return subprocess.run(
            [*command, f"--basetemp={folder / 'temporary'}", "-p", "no:cacheprovider", str(folder)],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    finally:
        # Or this run would find it, too.
        shutil.rmtree(folder)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.long)])
def test_one_doctored_line_of_one_server_fails_the_whole_run_and_is_named_without_being_repeated(
    tmp_path: Path, workers: int
) -> None:
    leaking = _run(tmp_path / "leaking", workers=workers, server="acquire", said="jane@example.com is not known")

    assert leaking.returncode == 1, leaking.stdout + leaking.stderr
    assert "acquire.log, line 2: an e-mail address" in leaking.stdout
    assert "jane" not in leaking.stdout


@pytest.mark.long
def test_what_others_print_is_theirs(tmp_path: Path) -> None:
    emulator = _run(tmp_path / "fine", workers=0, server="firestore", said="jane@example.com is not known")

    assert emulator.returncode == 0, emulator.stdout + emulator.stderr
