"""The benchmark's command line: ``python -m tests.bench --help``."""

import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, assert_never

import typer
from rich.console import Console

from infra.local.jars import JarError
from infra.local.processes import StartError
from infra.local.seed import firestore_client
from tests.bench.bench import Bench
from tests.bench.expiry import LAPSED_SESSIONS, ORGANIZATIONS, ExpiryBench
from tests.bench.findings import findings
from tests.bench.http import UnexpectedAnswer
from tests.bench.machine import this_machine
from tests.bench.measurement import Measurement
from tests.bench.parts import Part
from tests.bench.report import tell_machine, tell_measurement, tell_results, write_json
from tests.bench.rounds import CLIENTS, run_rounds, warm_up
from tests.bench.servers import EMPTY, EXPIRE, FUNCTIONS, PROJECT, running_servers
from tests.bench.stopping import Runner, ToldToStop
from tests.bench.tenants import make_tenant

app = typer.Typer(add_completion=False)
# Written to a file, the tables keep their columns.
console = Console(width=None if sys.stdout.isatty() else 170)
problems = Console(stderr=True)

_DEVICES_EACH = 10
_ONLY = (
    "Measure this part alone; both when left out. requests: cycles and heartbeats of many clients. expire: one call of "
    f"expire_sessions that has to end {LAPSED_SESSIONS:,} lapsed sessions of {ORGANIZATIONS} organizations."
)


@app.command()
def bench(
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each measurement of requests lasts.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="How often everything is measured.")] = 3,
    sessions: Annotated[int, typer.Option(min=100, help="Sessions that the heartbeats keep.")] = 1000,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write everything measured there as well.")] = None,
    only: Annotated[Part | None, typer.Option(help=_ONLY)] = None,
) -> None:
    """Measure the functions on this machine; fails when a target is missed or an error was answered."""
    parts = list(Part) if only is None else [only]
    machine = this_machine()
    tell_machine(console, machine)
    measurements = []
    try:
        with _explained_errors(), Runner() as runner:
            for part in parts:
                match part:
                    case Part.REQUESTS:
                        measuring = _requests(runner, seconds=seconds, rounds=rounds, sessions=sessions)
                    case Part.EXPIRE:
                        measuring = _expire(runner, rounds=rounds)
                    case _:
                        assert_never(part)
                with closing(measuring):
                    for each in measuring:
                        tell_measurement(console, each)
                        measurements.append(each)
    except ToldToStop:
        console.print("stopped everything that was started")
        raise typer.Exit(130) from None
    found = findings(measurements, parts)
    tell_results(console, measurements, found)
    if json is not None:
        write_json(json, machine=machine, measurements=measurements, found=found)
    if not all(each.is_met for each in found):
        raise typer.Exit(1)


def _requests(runner: Runner, *, seconds: float, rounds: int, sessions: int) -> Generator[Measurement, None, None]:
    with running_servers(*FUNCTIONS, EMPTY) as servers:
        database = firestore_client(project=PROJECT, firestore_host=servers.firestore_host)
        running = Bench(
            runner=runner,
            servers=servers,
            database=database,
            hot=make_tenant(database, "hot", users=max(CLIENTS)),
            working=make_tenant(database, "working", users=sessions // _DEVICES_EACH, devices_each=_DEVICES_EACH),
            seconds=seconds,
        )
        console.print("warming up")
        warm_up(running)
        yield from run_rounds(running, rounds)


def _expire(runner: Runner, *, rounds: int) -> Generator[Measurement, None, None]:
    with running_servers(EXPIRE) as servers:
        database = firestore_client(project=PROJECT, firestore_host=servers.firestore_host)
        console.print(f"expire: {LAPSED_SESSIONS:,} lapsed sessions of {ORGANIZATIONS} organizations in each round")
        yield from ExpiryBench(runner=runner, servers=servers, database=database).rounds(rounds)


@contextmanager
def _explained_errors() -> Iterator[None]:
    """End with a sentence and not with a traceback where the sentence says what to do."""
    try:
        yield
    except (JarError, StartError, UnexpectedAnswer) as error:
        problems.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from None
