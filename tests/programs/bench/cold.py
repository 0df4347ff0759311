"""Cold start: the cost of a function's import, and the time from its start to its first answer.

Each function runs staged, in an environment with only its own requirements, as on the platform.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.build.lock import locked
from infra.build.stage import ROOT, function_names, stage
from infra.local.processes import StartError
from infra.local.serving import function_environment
from tests.infra.clean_environment import CleanEnvironments
from tests.programs.bench.plan import Plan
from tests.programs.bench.servers import EMPTY, NOBODY, PROJECT
from tests.programs.bench.startable import Startable

LIBRARIES = "the libraries alone"
"""What each function is compared with: the import of these libraries and of nothing of ours."""

_LIBRARIES = {
    "functions-framework": "functions_framework",
    "google-cloud-firestore": "google.cloud.firestore",
    "pydantic": "pydantic",
}
"""Distributions, and the modules that are imported of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColdStart:
    """One start in one round. ``import_cpu_seconds`` is user and system time of a process that imports and ends."""

    name: str
    round: int
    import_cpu_seconds: float
    first_answer_seconds: float | None = None


def clean_environments(work: Path) -> CleanEnvironments:
    """Make environments below this folder."""
    return CleanEnvironments(folder=work / "environments")


def programs_for(requirements: Path, environments: CleanEnvironments) -> Path:
    """Give the folder of the programs of an environment that holds these requirements and nothing else.

    Raises:
        StartError: they cannot be installed.
    """
    try:
        return environments.holding(requirements)
    except AssertionError as error:
        raise StartError(str(error)) from None


def startables(work: Path, environments: CleanEnvironments) -> list[Startable]:
    """Stage every function, and prepare what they are compared with.

    Raises:
        StartError: an environment cannot be made.
    """
    libraries = work / "libraries"
    libraries.mkdir()
    pins = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = locked([pin for pin in pins if pin.partition("==")[0] in _LIBRARIES], ROOT / "requirements.lock")
    (libraries / "requirements.txt").write_text("\n".join([*wanted, ""]))
    programs = programs_for(libraries / "requirements.txt", environments)
    empty = shutil.copytree(Path(__file__).parent / EMPTY, work / EMPTY)
    found = [
        Startable(name=LIBRARIES, folder=libraries, imports=", ".join(_LIBRARIES.values()), programs=programs),
        Startable(name=EMPTY, folder=empty, imports="main", programs=programs),
    ]
    for name in function_names():
        folder = stage(name, work / "stage")
        programs = programs_for(folder / "requirements.txt", environments)
        found.append(Startable(name=name, folder=folder, imports="main", programs=programs))
    return found


def cold_starts(started: list[Startable], plan: Plan) -> Iterator[ColdStart]:
    """Import everything in turn, round after round, and serve the functions in the first rounds.

    A round before the first is not recorded: Python compiles meanwhile, which the platform does when it builds.
    """
    settings = settings_for(NOBODY)
    for each in started:
        each.import_cpu_seconds(settings)
    for number in range(1, plan.starts + 1):
        for each in started:
            is_served = number <= plan.first_answers and each.name != LIBRARIES
            yield ColdStart(
                name=each.name,
                round=number,
                import_cpu_seconds=each.import_cpu_seconds(settings),
                first_answer_seconds=each.first_answer_seconds(settings) if is_served else None,
            )


def settings_for(firestore_host: str) -> dict[str, str]:
    """Settings of a function beside this emulator, and nothing else of the environment."""
    local = function_environment(project=PROJECT, firestore=firestore_host, pubsub=NOBODY)
    # No function is deployed with an event trigger of its own, so the platform says of each that it is for requests.
    return {**local, "FUNCTION_SIGNATURE_TYPE": "http"}
