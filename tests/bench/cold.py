"""Cold start: what the import of a function costs, and how long it takes from its start to its first answer.

Each function runs staged, in an environment that holds its own requirements and nothing else, as on the platform.
"""

import http.client
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.local.processes import START_WITHIN_SECONDS, StartError
from infra.local.serving import function_environment
from infra.stage import ROOT, function_names, stage
from tests.bench.plan import Plan
from tests.bench.servers import EMPTY, NOBODY, PROJECT
from tests.infra.bare_server import BareServer, bare_server
from tests.infra.clean_environment import CleanEnvironments

LIBRARIES = "the libraries alone"
"""What each function is compared with: the import of these libraries and of nothing of ours."""

_LIBRARIES = {
    "functions-framework": "functions_framework",
    "google-cloud-firestore": "google.cloud.firestore",
    "pydantic": "pydantic",
}
"""Distributions, and the modules that are imported of them."""

_POLL_SECONDS = 0.005


@dataclass(frozen=True, kw_only=True, slots=True)
class ColdStart:
    """One start in one round. ``import_cpu_seconds`` is user and system time of a process that imports and ends."""

    name: str
    round: int
    import_cpu_seconds: float
    first_answer_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Startable:
    """A folder, what is imported in it, and the programs of its environment."""

    name: str
    folder: Path
    imports: str
    programs: Path

    def import_cpu_seconds(self, settings: Mapping[str, str]) -> float:
        """Import it in a process of its own.

        Raises:
            StartError: it cannot be imported.
        """
        before = _cpu_of_children()
        done = subprocess.run(
            [str(self.programs / "python"), "-c", f"import {self.imports}"],
            cwd=self.folder,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"{self.name} cannot be imported: {done.stderr}"
            raise StartError(message)
        return _cpu_of_children() - before

    def first_answer_seconds(self, settings: Mapping[str, str]) -> float:
        """Serve it until it answers, whatever it is asked.

        Raises:
            StartError: it ended, or did not answer, or not in order.
        """
        began = time.perf_counter()
        with bare_server(self.name, self.folder, settings, programs=self.programs) as server:
            status = _first_status(server)
            took = time.perf_counter() - began
            if status is None or status >= http.client.INTERNAL_SERVER_ERROR:
                message = f"{self.name} answers first with {status}: {server.output}"
                raise StartError(message)
        return took


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
    (libraries / "requirements.txt").write_text("\n".join(pin for pin in pins if pin.partition("==")[0] in _LIBRARIES))
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


def _first_status(server: BareServer) -> int | None:
    """The status of the first answer; ``None`` when it ends, or does not answer in time."""
    deadline = time.monotonic() + START_WITHIN_SECONDS
    address = server.url.removeprefix("http://")
    while time.monotonic() < deadline and server.popen.poll() is None:
        with suppress(ConnectionError, TimeoutError):
            connection = http.client.HTTPConnection(address, timeout=START_WITHIN_SECONDS)
            try:
                connection.request("GET", "/")
                return connection.getresponse().status
            finally:
                connection.close()
        time.sleep(_POLL_SECONDS)
    return None


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
