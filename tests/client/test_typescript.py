"""The client in TypeScript that the page "write your own client" shows, compiled and run against the functions."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from infra.build.stage import ROOT
from shared.rules.session import session_id_of
from tests.client.backends import RealBackend
from tests.client.commands import stop
from tests.client.conftest import BuildBackend
from tests.support.tenant import LICENSE_ID
from tests.support.waiting import wait_until

EXAMPLE = ROOT / "client/examples/typescript"
INSTALLED = ROOT / ".typescript"
"""Where the packages of the lock are installed, once: git ignores it."""

PAGE = ROOT / "client/docs/write-your-own-client.md"
SHOWN = """import {{ createLocalJWKSet, jwtVerify, type JSONWebKeySet }} from "jose";
import type {{ Kept }} from "./service.js";

export async function shown(keys: JSONWebKeySet, answer: Kept): Promise<unknown> {{
{block}return payload;
}}
"""
NODE = shutil.which("node") or "node"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def packages() -> Path:
    """The packages that the example's lock names."""
    npm = shutil.which("npm")
    if npm is None or shutil.which(NODE) is None:
        pytest.skip("npm is missing, so the client in TypeScript cannot be compiled")
    locked = sha256((EXAMPLE / "package-lock.json").read_bytes()).hexdigest()
    ready = INSTALLED / ".ready"
    if not ready.exists() or ready.read_text() != locked:
        INSTALLED.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(EXAMPLE / name, INSTALLED / name)
        command = [npm, "ci", f"--prefix={INSTALLED}", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install the packages of the client in TypeScript: {done.stderr.strip()}")
        ready.write_text(locked)
    return INSTALLED / "node_modules"


@pytest.fixture(scope="module")
def compiled(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example in a folder of its own, compiled there as its page says."""
    folder: Path = tmp_path_factory.mktemp("typescript") / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (folder / "src/shown_on_the_page.ts").write_text(SHOWN.format(block=shown_on_the_page()))
    (folder / "node_modules").symlink_to(packages)
    done = node(folder, "node_modules/typescript/bin/tsc")
    assert done.returncode == 0, done.stdout
    return folder


def shown_on_the_page() -> str:
    (block,) = re.findall(r"^```typescript\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    return str(block)


def node(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([NODE, *words], cwd=folder, capture_output=True, text=True, check=False)


def take_seat(backend: RealBackend, user: str) -> None:
    described = backend.described(user)
    body = {"license_key": described["license_key"], "hardware_id": described["hardware_id"]}
    headers = {"Authorization": f"Bearer {described['credentials']}"}
    httpx.post(f"{described['url']}/v1/acquire", json=body, headers=headers, timeout=30).raise_for_status()


@pytest.fixture
def start_example(compiled: Path, tmp_path: Path) -> Iterator[Start]:
    """Start the example for a user. What it prints goes to the file ``printed``."""
    started: list[subprocess.Popen[str]] = []

    def start(backend: RealBackend, printed: Path) -> "subprocess.Popen[str]":
        keys = tmp_path / "keys.json"
        keys.write_bytes(httpx.get(f"{backend.proxy.url}/v1/keys", timeout=30).content)
        described = backend.described("m0")
        environment = {
            "PATH": os.environ["PATH"],
            "SEATLEASE_URL": described["url"],
            "SEATLEASE_LICENSE_KEY": f" {described['license_key']} ",
            "SEATLEASE_ID_TOKEN": described["credentials"],
            "SEATLEASE_HARDWARE_ID": described["hardware_id"],
            "SEATLEASE_KEYS": str(keys),
            "SEATLEASE_WAIT_SECONDS": "300",
        }
        with printed.open("w") as output:
            process = subprocess.Popen(
                [NODE, "dist/main.js"],
                cwd=compiled,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        stop(process)


def test_its_types_are_those_of_the_openapi_document(packages: Path, tmp_path: Path) -> None:
    generator = packages / "openapi-typescript/bin/cli.js"
    fresh = tmp_path / "api.ts"

    done = node(ROOT, str(generator), "infra/contracts/openapi.json", "--output", str(fresh))

    assert done.returncode == 0, done.stderr
    told = "run npm ci and npm run generate in client/examples/typescript"
    assert fresh.read_text() == (EXAMPLE / "src/api.ts").read_text(), told


@pytest.mark.long
def test_it_waits_keeps_its_seat_takes_a_lapsed_one_again_and_gives_it_back_at_ctrl_c(
    build_real: BuildBackend, start_example: Start, tmp_path: Path
) -> None:
    backend = build_real(seats=1, lease_seconds=4, features={"edition": "pro", "max_layers": 64})
    tenant, printed = backend.tenant, tmp_path / "printed"
    others, own = (session_id_of(license_id=LICENSE_ID, user_id=user, hardware_id="laptop") for user in ("m1", "m0"))
    take_seat(backend, "m1")
    example = start_example(backend, printed)

    def has_said(word: str) -> bool:
        assert example.poll() is None, printed.read_text()
        return word in printed.read_text()

    def is_kept_waiting() -> bool:
        tenant.session(others).update({"lease_expires_at": datetime.now(UTC) + timedelta(seconds=5)})
        return has_said("waiting")

    def last_heartbeat_at() -> datetime:
        at: datetime = tenant.session(own).get().get("last_heartbeat_at")
        return at

    wait_until(is_kept_waiting, within=60)
    wait_until(lambda: has_said("\nactive"), within=60)
    acquired_at = last_heartbeat_at()
    wait_until(lambda: last_heartbeat_at() > acquired_at, within=60)
    tenant.let_lapse(own)
    wait_until(lambda: has_said("lost") and last_heartbeat_at() > acquired_at, within=60)
    os.killpg(example.pid, signal.SIGINT)

    assert example.wait(60) == 130
    assert tenant.session(own).get().get("end_reason") == "released"
    assert printed.read_text().splitlines()[-1].strip() == "released"
    assert "edition pro" in printed.read_text().splitlines()


def test_it_stops_with_the_services_message_when_the_right_to_the_seat_ends(
    build_real: BuildBackend, start_example: Start, tmp_path: Path
) -> None:
    backend = build_real(lease_seconds=6)
    printed = tmp_path / "printed"
    example = start_example(backend, printed)
    wait_until(lambda: "active" in printed.read_text(), within=60)

    backend.refuse("LICENSE_INACTIVE")

    assert example.wait(60) == 1
    assert "license is deactivated" in printed.read_text()
    assert backend.tenant.open_sessions() == []


def test_every_package_has_a_hash_and_no_registry() -> None:
    wanted = json.loads((EXAMPLE / "package.json").read_text())
    lock = json.loads((EXAMPLE / "package-lock.json").read_text())["packages"]
    packages = {place: entry for place, entry in lock.items() if place}
    asked_for = {**wanted["dependencies"], **wanted["devDependencies"]}

    assert {name: packages[f"node_modules/{name}"]["version"] for name in asked_for} == asked_for
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not [place for place, entry in packages.items() if "resolved" in entry]
