"""The two build files, checked without Cloud Build: by their schema, their API's message, and what neither sees.

Each check is shown to fail: ``WRONG`` lists mistakes, and which of the three finds each. The steps that tell of a
failure are run, with a ``terraform`` and a ``python`` that fail as told.
"""

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from google.cloud.devtools import cloudbuild_v1
from google.protobuf import json_format
from ruamel.yaml import YAML

from infra.build.stage import ROOT

DEPLOYS = ROOT / "cloudbuild.yaml"
TESTS = ROOT / "infra/build/cloudbuild-tests.yaml"

each_file = pytest.mark.parametrize("file", [DEPLOYS, TESTS], ids=lambda file: file.name)

GIVEN = frozenset({"PROJECT_ID", "PROJECT_NUMBER", "BUILD_ID", "LOCATION", "COMMIT_SHA", "SHORT_SHA", "BRANCH_NAME"})
"""Substitutions that Cloud Build makes itself. Source: its page "Substituting variable values"."""

Build = dict[str, Any]


def read(file: Path = DEPLOYS) -> Build:
    return dict(YAML(typ="safe").load(file.read_text()))


def write(build: Build, folder: Path) -> Path:
    path = folder / "cloudbuild.yaml"
    YAML().dump(build, path)
    return path


# The three checks


def schema_problem(path: Path) -> str:
    """What the schema that check-jsonschema brings along says of the file; nothing when it is valid."""
    told = CliRunner().invoke(check_jsonschema, ["--builtin-schema", "vendor.cloudbuild", str(path)])
    return "" if told.exit_code == 0 else told.output


def message_problem(build: Build) -> str:
    """What the API's own message says of the build; nothing when it takes it."""
    try:
        json_format.ParseDict(build, cloudbuild_v1.Build.pb(cloudbuild_v1.Build()))
    except json_format.ParseError as error:
        return str(error)
    return ""


def substitutions_in(value: object) -> Iterator[str]:
    """Every substitution that a part of the build names. ``$$`` is a dollar of the shell's own."""
    match value:
        case str():
            yield from re.findall(r"\$\{?([A-Z_][A-Z0-9_]*)\}?", value.replace("$$", ""))
        case dict():
            for part in value.values():
                yield from substitutions_in(part)
        case list():
            for part in value:
                yield from substitutions_in(part)


def build_problems(build: Build) -> list[str]:
    """What no schema sees: ids, the order of the steps, substitutions, images."""
    problems: list[str] = []
    seen: set[str] = set()
    for step in build["steps"]:
        name = step.get("id", "a step without an id")
        if name in seen or "id" not in step:
            problems.append(f"not the id of one step: {name}")
        problems += [f"{name} waits for {other}" for other in step.get("waitFor", []) if other not in {"-", *seen}]
        if not re.search(r":\d+\.\d+\.\d+(-[a-z]+)?(@sha256:[0-9a-f]{64})?$", step["name"]):
            problems.append(f"{name} has no exact image: {step['name']}")
        seen.add(name)
    declared, used = set(build["substitutions"]), set(substitutions_in(build))
    problems += [f"not declared: {name}" for name in sorted(used - declared - GIVEN)]
    problems += [f"not used: {name}" for name in sorted(declared - used)]
    return problems


@each_file
def test_a_build_is_valid_by_its_schema(file: Path) -> None:
    problem = schema_problem(file)

    assert problem == ""


@each_file
def test_a_build_is_what_the_api_takes(file: Path) -> None:
    problem = message_problem(read(file))

    assert problem == ""


@each_file
def test_steps_wait_for_earlier_ones_and_every_substitution_is_declared_and_used(file: Path) -> None:
    problems = build_problems(read(file))

    assert problems == []


def change(step: str, **fields: object) -> Callable[[Build], None]:
    return lambda build: steps(build)[step].update(fields)


def set_at(*path: str, to: object) -> Callable[[Build], None]:
    def changed(build: Build) -> None:
        place = build
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = to

    return changed


def forget(*path: str) -> Callable[[Build], None]:
    def forgotten(build: Build) -> None:
        place = build
        for name in path[:-1]:
            place = place[name]
        del place[path[-1]]

    return forgotten


def steps(build: Build) -> dict[str, Any]:
    return {step["id"]: step for step in build["steps"]}


WRONG: dict[str, tuple[Callable[[Build], None], set[str]]] = {
    "a misspelt key": (set_at("option", to={}), {"message"}),
    "a misspelt key of a step": (change("plan", waitfor=["stage"]), {"schema", "message"}),
    "a time without its unit": (set_at("timeout", to="90 minutes"), {"schema", "message"}),
    "an unknown way to log": (set_at("options", "logging", to="CLOUD_LOGGING"), {"schema", "message"}),
    "an unknown machine": (set_at("options", "machineType", to="E2_HUGE"), {"schema", "message"}),
    "arguments that are no list": (change("install", args="setup"), {"schema", "message"}),
    "no steps": (forget("steps"), {"schema", "build"}),
    "a step that waits for none": (change("plan", waitFor=["tests"]), {"build"}),
    "a step that waits for a later one": (change("install", waitFor=["smoke"]), {"build"}),
    "two steps of one name": (change("apply", id="plan"), {"build"}),
    "an image of no version": (change("stage", name="python"), {"build"}),
    "an image whose version moves": (change("stage", name="python:3.12"), {"build"}),
    "the latest image": (change("plan", name="hashicorp/terraform:latest"), {"build"}),
    "a substitution that nobody declares": (set_at("tags", to=["${_ENVIROMENT}"]), {"build"}),
    "a substitution that nobody uses": (set_at("substitutions", "_STAGE", to=""), {"build"}),
    "a declaration that is missing": (forget("substitutions", "_STATE_BUCKET"), {"build"}),
    "a dollar of the shell's that is none": (change("stage", args=["-c", "echo ${PATH}"]), {"build"}),
}


@pytest.mark.mutant
@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_found(mistake: str, tmp_path: Path) -> None:
    make, finders = WRONG[mistake]
    build = deepcopy(read())
    make(build)

    found = {
        "schema": bool(schema_problem(write(build, tmp_path))),
        "message": bool(message_problem(build)),
        "build": bool(build.get("steps") is None or build_problems(build)),
    }

    assert {name for name, has_found in found.items() if has_found} == finders


# What it is to be


def test_nothing_is_deployed_before_everything_is_staged_and_the_smoke_test_can_run() -> None:
    build = steps(read())

    assert set(build["plan"]["waitFor"]) == {"canary-is-known", "install", "stage"}
    assert [build[name]["waitFor"] for name in ("apply", "smoke")] == [["plan"], ["apply"]]


def test_what_is_independent_runs_side_by_side() -> None:
    deploying, testing = steps(read()), steps(read(TESTS))

    at_once = [name for build in (deploying, testing) for name, step in build.items() if step["waitFor"] == ["-"]]

    assert at_once == ["canary-is-known", "install", "stage", "terraform-for-tests", "install"]
    assert testing["check"]["waitFor"] == ["install"]
    assert "check" not in testing["test"]["waitFor"]


def test_the_build_that_tests_deploys_nothing() -> None:
    text = TESTS.read_text()

    assert re.findall(r"terraform (?:init|plan|apply)|infra\.doctor", text) == []


def test_the_build_that_applies_leaves_the_cpus_to_the_builds_that_it_waits_for() -> None:
    build = read()

    assert "machineType" not in build["options"]
    assert "-parallelism=3 " in " ".join(steps(build)["apply"]["args"])


@each_file
def test_a_build_runs_in_the_global_pool(file: Path) -> None:
    commands = re.findall(r"gcloud builds submit(?:[^\n]*\\\n)*[^\n]*", file.read_text())

    assert commands
    assert all("--region" not in command for command in commands)


@each_file
def test_images_come_from_googles_copy_of_docker_hub(file: Path) -> None:
    images = {step["name"] for step in read(file)["steps"]}

    assert all(image.startswith("mirror.gcr.io/") for image in images)


@each_file
def test_no_step_may_fail_unseen(file: Path) -> None:
    build = read(file)

    assert not any("allowFailure" in step or "allowExitCodes" in step for step in build["steps"])


@each_file
def test_it_runs_as_an_account_of_its_own_and_says_where_its_logs_go(file: Path) -> None:
    build = read(file)

    assert build["serviceAccount"].endswith("/serviceAccounts/${_BUILD_SERVICE_ACCOUNT}")
    assert build["options"]["logging"] == "CLOUD_LOGGING_ONLY"
    assert build["options"]["substitutionOption"] == "MUST_MATCH"


def test_the_command_at_its_head_gives_substitutions_that_there_are() -> None:
    (given,) = re.findall(r"^# +--substitutions=(_\S+)$", DEPLOYS.read_text(), re.MULTILINE)

    names = {each.partition("=")[0] for each in given.split(",")}

    assert names <= read()["substitutions"].keys()


def test_every_target_of_make_that_it_calls_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()

    called = re.findall(r"\bmake ([a-z]+)$", DEPLOYS.read_text() + TESTS.read_text(), re.MULTILINE)
    built = [step for file in (DEPLOYS, TESTS) for step in read(file)["steps"]]
    called += [target for step in built if step.get("entrypoint") == "make" for target in step["args"]]

    assert sorted(called) == ["setup", "setup", "static", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in called)


EMPTY: Mapping[str, str] = {}

SCRIPTS = [
    (file, name)
    for file in (DEPLOYS, TESTS)
    for name, step in steps(read(file)).items()
    if step.get("entrypoint") in {"sh", "bash"}
]


def script(step: str, *, file: Path = DEPLOYS, given: Mapping[str, str] = EMPTY) -> list[str]:
    """The step's command as Cloud Build starts it, with its substitutions in place."""
    build = read(file)
    values: dict[str, str] = {"PROJECT_ID": "demo-seatlease", **build["substitutions"], **given}
    *options, text = steps(build)[step]["args"]
    while names := set(re.findall(r"(?<!\$)\$\{([A-Z_]+)\}", text)):
        for name in names:
            text = text.replace(f"${{{name}}}", values[name])
    return [steps(build)[step]["entrypoint"], *options, text.replace("$$", "$")]


@pytest.mark.parametrize(("file", "step"), SCRIPTS)
def test_a_script_is_one(file: Path, step: str) -> None:
    program, *_, text = script(step, file=file)

    checked = subprocess.run([program, "-n"], input=text, text=True, capture_output=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")


# When something fails


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checked-out project as the last steps find it; its programs fail as the file beside them says."""
    for name in ("bin/terraform", ".venv/bin/python"):
        program = tmp_path / name
        program.parent.mkdir(parents=True)
        program.write_text('#!/bin/sh\necho "$(basename "$0") $*"\nexit "$(cat "$0.$1" 2>/dev/null || echo 0)"\n')
        program.chmod(0o755)
    (tmp_path / "build").mkdir()
    (tmp_path / "infra/terraform").mkdir(parents=True)
    (tmp_path / "build/manifest.json").write_text('{"acquire": "acquire-0123.zip"}\n')
    return tmp_path


def fails(program: Path, command: str, status: int) -> None:
    program.with_name(f"{program.name}.{command}").write_text(str(status))


def run(step: str, workspace: Path, **substitutions: str) -> subprocess.CompletedProcess[str]:
    folder = workspace / steps(read())[step].get("dir", ".")
    environment = {"PATH": f"{workspace / 'bin'}:/usr/bin:/bin"}
    command = script(step, given=substitutions)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 1),
        ({"_CANARY_LICENSE_KEY": "KEY"}, 1),
        ({"_FIREBASE_API_KEY": "key"}, 1),
        ({"_CANARY_LICENSE_KEY": "KEY", "_FIREBASE_API_KEY": "key"}, 0),
        ({"_CANARY": "not-yet"}, 0),
        ({"_CANARY": "no"}, 1),
    ],
)
def test_a_build_that_could_not_test_what_it_deploys_deploys_nothing(
    workspace: Path, given: dict[str, str], status: int
) -> None:
    ran = run("canary-is-known", workspace, **given)

    assert ran.returncode == status


def test_a_plan_that_fails_fails_the_build(workspace: Path) -> None:
    fails(workspace / "bin/terraform", "plan", 1)

    ran = run("plan", workspace)

    assert ran.returncode == 1


def test_without_terraforms_state_nothing_is_planned(workspace: Path) -> None:
    fails(workspace / "bin/terraform", "init", 1)

    ran = run("plan", workspace)

    assert ran.returncode == 1
    assert "terraform plan" not in ran.stdout


def test_what_is_applied_is_what_was_planned(workspace: Path) -> None:
    planned, applied = run("plan", workspace).stdout, run("apply", workspace).stdout

    (saved,) = re.findall(r"-out=(\S+)", planned)
    assert f"terraform apply -input=false -no-color -parallelism=3 -lock-timeout=10m {saved}\n" in applied


def test_an_apply_tells_what_is_deployed(workspace: Path) -> None:
    ran = run("apply", workspace)

    assert ran.returncode == 0
    assert "== WHAT IS DEPLOYED ==\nterraform output -no-color\n" in ran.stdout
    assert "acquire-0123.zip" in ran.stdout
    assert "LEFT TO DO" not in ran.stdout


@pytest.mark.parametrize("also_fails", ["", "output", "plan"])
def test_an_apply_that_fails_halfway_fails_the_build_and_tells_what_is_deployed_and_what_is_left(
    workspace: Path, also_fails: str
) -> None:
    fails(workspace / "bin/terraform", "apply", 7)
    fails(workspace / "bin/terraform", also_fails, 1)

    ran = run("apply", workspace)

    assert ran.returncode == 7
    told = [line for line in ran.stdout.splitlines() if line.startswith("==")]
    assert told == ["== WHAT IS DEPLOYED ==", "== THE APPLY FAILED HALFWAY. WHAT IS LEFT TO DO: =="]
    assert "terraform plan" in ran.stdout


def test_a_smoke_test_that_fails_fails_the_build_and_says_what_to_do(workspace: Path) -> None:
    fails(workspace / ".venv/bin/python", "-m", 1)

    ran = run("smoke", workspace)

    assert ran.returncode == 1
    assert "== DEPLOYED, BUT THE SMOKE TEST FAILED." in ran.stdout


def test_a_smoke_test_takes_a_seat_unless_the_build_says_that_it_cannot_yet(workspace: Path) -> None:
    usual, first = run("smoke", workspace), run("smoke", workspace, _CANARY="not-yet")

    assert (usual.returncode, first.returncode) == (0, 0)
    assert "python -m infra.doctor.smoke --project=demo-seatlease --region=europe-west1 --url=" in usual.stdout
    assert "--url=https://europe-west1-demo-seatlease.cloudfunctions.net/{function}\n" in usual.stdout
    assert "NO SEAT IS ACQUIRED" in first.stdout
    assert "--without-canary" in first.stdout
