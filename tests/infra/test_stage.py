"""A function runs from its staged folder alone, as the platform runs it."""

import compileall
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from google.cloud import firestore

from infra.build.stage import MANIFEST, ROOT, archive, function_names, stage, stage_all
from infra.build.triggers import triggers
from infra.local.serving import function_environment
from infra.local.tokens import unsigned_token
from tests.infra.bare_server import bare_server
from tests.infra.clean_environment import CleanEnvironments, run
from tests.support.cloud_event import CloudEvent
from tests.support.tenant import Tenant

FIRST_ANSWERS = {
    "acquire": ("POST", 401),
    "expire_sessions": ("GET", 405),
    "heartbeat": ("POST", 401),
    "history": ("GET", 401),
    "invitations": ("POST", 401),
    "join": ("POST", 401),
    "keys": ("GET", 200),
    "members": ("GET", 401),
    "reconcile": ("GET", 405),
    "relay_audit": ("POST", 400),
    "release": ("POST", 401),
    "review_admin_edit": ("POST", 400),
    "sign_ins": ("POST", 400),
    "summarize_usage": ("GET", 405),
    "sync_user_claims": ("POST", 400),
    "usage": ("GET", 401),
}
"""What each function answers, without a store, to an empty request of this method. A new function needs its line."""

WITH_STORE: Mapping[str, tuple[dict[str, Any], int]] = {
    "acquire": ({"json": {"license_key": "{key}", "hardware_id": "H"}}, 201),
    "expire_sessions": ({"json": {}}, 200),
    "heartbeat": ({"json": {"session_id": "a" * 26}}, 404),
    "history": ({"method": "GET"}, 200),
    "invitations": ({"json": {"email": "ada@example.com", "role": "member"}}, 201),
    "join": ({"json": {}}, 403),
    "members": ({"method": "GET"}, 200),
    "reconcile": ({"json": {}}, 200),
    "relay_audit": ({"event": "audit_events/gone"}, 200),
    "release": ({"json": {"session_id": "a" * 26}}, 404),
    "review_admin_edit": ({"event": "licenses/license-1"}, 200),
    "sign_ins": ({"json": {"step": "look", "sign_in_id": "a" * 26}}, 404),
    "summarize_usage": ({"json": {}}, 200),
    "usage": ({"method": "GET"}, 200),
}
"""What a function answers to this with a store beside it, where a plain request is enough to make it use everything."""

each_function = pytest.mark.parametrize("name", function_names())
OTHERS = sorted({*function_names()} - {"acquire"})
one_function = pytest.mark.parametrize(
    "name", ["acquire", *(pytest.param(each, marks=pytest.mark.long) for each in OTHERS)]
)
"""An environment of its own takes seconds: one in the gate, each function's in the long run."""


@each_function
def test_a_staged_function_holds_its_entry_the_shared_code_and_the_requirements(name: str, tmp_path: Path) -> None:
    folder = stage(name, tmp_path)

    assert sorted(path.name for path in folder.iterdir()) == ["main.py", "requirements.txt", "shared"]
    assert (folder / "main.py").read_text() == (ROOT / "functions" / name / "main.py").read_text()
    assert not list(folder.rglob("__pycache__"))


def test_staging_again_leaves_nothing_of_the_stage_before(tmp_path: Path) -> None:
    name = function_names()[0]
    (stage(name, tmp_path) / "shared" / "forgotten.py").touch()

    folder = stage(name, tmp_path)

    assert not (folder / "shared" / "forgotten.py").exists()


@each_function
def test_a_staged_function_compiles(name: str, tmp_path: Path) -> None:
    folder = stage(name, tmp_path)

    compiled = compileall.compile_dir(folder, quiet=1)

    assert compiled


@pytest.fixture
def beside_emulators(firestore_host: str, pubsub_host: str, project: str) -> Mapping[str, str]:
    """The settings of a function on a project of the test's own."""
    local = function_environment(project=project, firestore=firestore_host, pubsub=pubsub_host)
    # No function is deployed with an event trigger of its own, so the platform says of each that it is for requests.
    return {**local, "FUNCTION_SIGNATURE_TYPE": "http"}


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    """An organization of that project."""
    return Tenant.create(console)


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironments:
    """Environments that hold what a function names in its requirements and nothing else."""
    return CleanEnvironments(folder=tmp_path_factory.mktemp("environments"))


@one_function
def test_a_staged_function_serves_without_the_rest_of_the_project_and_of_its_requirements(
    name: str, tmp_path: Path, environments: CleanEnvironments, tenant: Tenant, beside_emulators: Mapping[str, str]
) -> None:
    folder = stage(name, tmp_path)
    programs = environments.holding(folder / "requirements.txt")
    request, status = WITH_STORE.get(name, ({}, None))

    with bare_server(name, folder, beside_emulators, programs=programs) as server:
        assert server.wait_until_it_answers_or_ends(), server.output

        method, first_status = FIRST_ANSWERS[name]
        first = httpx.request(method, server.url, json={} if method == "POST" else None)
        served = httpx.request(**filled(request, server.url, tenant), timeout=30) if request else None

    assert first.status_code == first_status
    assert served is None or served.status_code == status, server.output


def filled(request: dict[str, Any], url: str, tenant: Tenant) -> dict[str, Any]:
    """The request of the tenant's owner to the function at this address, or of the platform."""
    project = tenant.console.project
    token = unsigned_token(project=project, organization_id=tenant.organization_id, user_id="olivia")
    asked = {"method": "POST", "url": url, "headers": {"Authorization": f"Bearer {token}"}, **request}
    if "json" in asked:
        asked["json"] = {field: value.format(key=tenant.license_key) for field, value in asked["json"].items()}
    if "event" in asked:
        event = CloudEvent(project=project, path=f"organizations/{tenant.organization_id}/{asked.pop('event')}")
        return {**asked, "headers": event.headers, "content": event.body}
    return asked


@one_function
def test_the_requirements_of_a_staged_function_are_compatible_with_each_other(
    name: str, tmp_path: Path, environments: CleanEnvironments
) -> None:
    programs = environments.holding(stage(name, tmp_path) / "requirements.txt")

    run("pip", "check", "--python", str(programs / "python"))


# What is deployed anew


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the project, to change."""
    root = tmp_path / "project"
    for folder in ("functions", "shared"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", "requirements.lock"):
        shutil.copy(ROOT / name, root)
    return root


def redeployed(root: Path, changed: str, before: str, after: str) -> set[str]:
    """The functions whose archive has another name after this change of a file."""
    file = root / changed
    stages = (root / "old", root / "new")
    old = stage_all(stages[0], root=root)
    file.write_text(file.read_text().replace(before, after, 1))
    new = stage_all(stages[1], root=root)
    return {name for name, archived in new.items() if old[name] != archived}


def test_staged_twice_gives_the_same_bytes(copied: Path) -> None:
    first = archive(stage("acquire", copied / "first", root=copied))
    for file in copied.rglob("*.py"):
        file.chmod(0o700)
        file.touch()

    second = archive(stage("acquire", copied / "second", root=copied))

    assert second.name == first.name
    assert second.read_bytes() == first.read_bytes()


def test_an_archive_holds_what_was_staged_with_main_and_requirements_at_its_root(tmp_path: Path) -> None:
    folder = stage("acquire", tmp_path)

    with ZipFile(archive(folder)) as zipped:
        names, rights = zipped.namelist(), {entry.external_attr >> 16 for entry in zipped.infolist()}
        zipped.extractall(tmp_path / "unpacked")

    assert {"main.py", "requirements.txt", "shared/__init__.py"} <= set(names)
    assert names == sorted(names)
    assert rights == {0o100644}
    assert (tmp_path / "unpacked/main.py").read_bytes() == (folder / "main.py").read_bytes()
    assert sorted(names) == sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.long
@pytest.mark.parametrize(
    ("changed", "before", "after", "functions"),
    [
        pytest.param("functions/usage/main.py", '"""', '"""More: ', {"usage"}, id="an entry point"),
        pytest.param(
            "shared/audit/topic.py",
            '"""',
            '"""More: ',
            {"expire_sessions", "relay_audit"},
            id="a module that some need",
        ),
        pytest.param("shared/edge/settings.py", '"""', '"""More: ', set(function_names()), id="a module that all need"),
        pytest.param(
            "requirements.lock",
            "google-cloud-pubsub==2.44.0 \\\n    --hash=sha256:",
            "google-cloud-pubsub==2.44.0 \\\n    --hash=sha256:0",
            {"expire_sessions", "relay_audit"},
            id="a hash of a requirement that some have",
        ),
        pytest.param(
            "requirements.lock",
            "\ngrpc-google-iam-v1==",
            "\ngrpc-google-iam-v1==0.",
            {"expire_sessions", "relay_audit"},
            id="what a requirement brings along",
        ),
        pytest.param("requirements.lock", "# This file", "# The file", set(), id="a note in the lock"),
        pytest.param("requirements.txt", "# ", "#  ", set(), id="a comment"),
    ],
)
def test_a_change_concerns_the_functions_that_need_what_changed_and_no_others(
    copied: Path, changed: str, before: str, after: str, functions: set[str]
) -> None:
    assert redeployed(copied, changed, before, after) == functions


def test_a_new_module_that_nobody_imports_concerns_no_function(copied: Path) -> None:
    before = stage_all(copied / "build", root=copied)
    (copied / "shared/rules/later.py").write_text("LATER = 1\n")

    after = stage_all(copied / "build", root=copied)

    assert after == before


def test_the_manifest_names_the_archive_of_every_function_and_no_others_are_left(copied: Path) -> None:
    into = copied / "build"
    into.mkdir()
    (into / "acquire-of-yesterday.zip").touch()

    manifest = stage_all(into, root=copied)

    assert json.loads((into / MANIFEST).read_text()) == manifest
    assert sorted(manifest) == function_names()
    assert sorted(path.name for path in into.glob("*.zip")) == sorted(manifest.values())


def test_staging_needs_nothing_but_python_itself(tmp_path: Path) -> None:
    # The step of a deployment that stages has nothing installed.
    code = "import sys; from pathlib import Path; from infra.build.stage import stage_all; stage_all(Path(sys.argv[1]))"

    subprocess.run([sys.executable, "-S", "-c", code, str(tmp_path)], cwd=ROOT, check=True)

    assert sorted(json.loads((tmp_path / MANIFEST).read_text())) == function_names()


def test_shared_holds_python_only_because_nothing_else_is_staged() -> None:
    others = [path for path in (ROOT / "shared").rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}]

    assert others == []


# The list of functions


@each_function
def test_an_entry_point_has_at_most_forty_lines(name: str) -> None:
    lines = (ROOT / "functions" / name / "main.py").read_text().splitlines()

    assert len(lines) <= 40


@each_function
def test_the_entry_function_has_its_folders_name(name: str) -> None:
    # The framework's registry is keyed by the bare function name.
    code = (ROOT / "functions" / name / "main.py").read_text()

    assert re.search(rf"^async def {name}\(", code, re.MULTILINE)


def test_every_function_has_its_trigger_and_every_trigger_its_function() -> None:
    assert sorted(triggers()) == function_names()
