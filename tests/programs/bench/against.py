"""Compare this working tree with another commit: ``python -m tests.programs.bench.against --help``.

Two runs of the benchmark often differ more than two commits, because other programs use the machine as well. Here both
versions run at the same time on one emulator. Each round loads one right after the other, and their ratio within the
round is compared.
"""

import io
import shutil
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.build.stage import ROOT
from infra.local.processes import StartError
from tests.programs.bench.bench import Bench
from tests.programs.bench.cli import console, explained_ends
from tests.programs.bench.cpu import cores
from tests.programs.bench.finding import by_rate, within_rounds
from tests.programs.bench.machine import this_machine
from tests.programs.bench.measured_parts import bench_for
from tests.programs.bench.measurement import Measurement, Work
from tests.programs.bench.plan import JUDGED_CLIENTS, WHOLE
from tests.programs.bench.report import tell_machine
from tests.programs.bench.rounds import put
from tests.programs.bench.servers import FUNCTIONS, running_servers
from tests.programs.bench.stopping import Runner
from tests.programs.bench.tables import grouped, milliseconds, spread

_EXPECTED_HEARTBEATS = 3_000
"""A second: the leases are such that each heartbeat is written at half of it and at twice as many."""

_WARM_UPS = 5

app = typer.Typer(add_completion=False)


class Load(StrEnum):
    """What can be put on both: the works of the same names."""

    CYCLES = "cycles"
    JUST_FULL = "just-full"
    REFUSALS = "refusals"
    HEARTBEATS = "heartbeats"


@app.command()
def against(
    commit: Annotated[str, typer.Argument(help="Commit to compare with: a hash, a branch, HEAD~3.")],
    *,
    load: Annotated[list[Load] | None, typer.Option(help="Load to measure; may be repeated. Default: all.")] = None,
    clients: Annotated[
        list[int] | None, typer.Option(min=1, help="Number of clients; may be repeated. Default: 8 and 32.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes of each function, on each side.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.5, help="Seconds of each measurement.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds.")] = 5,
) -> None:
    """Measure this working tree against another commit, on one emulator, in turns.

    Both run with the libraries that are installed here.
    """
    asked = tuple(clients or [8, JUDGED_CLIENTS])
    plan = replace(WHOLE, seconds=seconds, clients=asked, clients_of_refusals=asked, clients_of_processes=())
    tell_machine(console, this_machine())
    here: list[Measurement] = []
    there: list[Measurement] = []
    with explained_ends(), tempfile.TemporaryDirectory(prefix="seatlease-against-") as folder:
        other = check_out(commit, Path(folder))
        with (
            Runner() as runner,
            running_servers(*FUNCTIONS * (2 * processes), ours=processes, others_from=other) as servers,
        ):
            both = bench_for(plan, servers, runner)
            sides = [
                (replace(both, servers=servers.part(first, processes)), side)
                for first, side in ((1, here), (1 + processes, there))
            ]
            works = [Work[each.name] for each in load or Load]
            _load_in_turns(sides, works, asked, processes=processes, rounds=rounds)
    console.print(compared(here, there, commit=commit))
    errors = [
        f"{each.work}, {where}: {dict(each.errors)}"
        for where, side in (("here", here), ("there", there))
        for each in side
        if each.errors
    ]
    if errors:
        console.print(f"Failed, because requests were answered with errors: {errors}")
        raise typer.Exit(1)


def check_out(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder, and return it.

    Raises:
        StartError: there is no git, or it knows no such commit.
    """
    git = shutil.which("git")
    if git is None:
        message = "git is not installed, so the other commit cannot be read"
        raise StartError(message)
    done = subprocess.run([git, "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        message = f"git cannot read the commit {commit}: {done.stderr.decode(errors='replace').strip()}"
        raise StartError(message)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def _load_in_turns(
    sides: Sequence[tuple[Bench, list[Measurement]]],
    works: Sequence[Work],
    clients: Sequence[int],
    *,
    processes: int,
    rounds: int,
) -> None:
    """Warm both sides up, and add what they then measure to the list of each."""

    def load(work: Work, bench: Bench, clients: int) -> Measurement:
        if work is Work.CYCLES:  # of which ``put`` has one process
            return bench.cycles(clients, processes=processes)
        if work is Work.JUST_FULL:
            return bench.just_full(clients, processes=processes)
        return put(work, bench, clients, expected_heartbeats=_EXPECTED_HEARTBEATS, processes=processes)

    console.print("warming up")
    for _, work, (bench, _side) in product(range(_WARM_UPS), works, sides):
        load(work, bench, JUDGED_CLIENTS)
    for number, work, each in product(range(1, rounds + 1), works, clients):
        # Whoever comes first may find the machine in another state than the one after it.
        for bench, side in sides if number % 2 else reversed(sides):
            side.append(load(work, replace(bench, round_=number), each))


def compared(here: Sequence[Measurement], there: Sequence[Measurement], *, commit: str) -> Table:
    """Tell what both did, and the ratios: medians over the rounds, and the spread."""
    table = Table(title=f"This working tree against {commit}: median (min..max) over rounds", title_justify="left")
    table.add_column("what")
    for column in ("clients", "a second", "there", "ratio", "p50 ms", "there", "p99 ms", "there", "CPU µs", "there"):
        table.add_column(column, justify="right")
    for ours, others in zip(grouped(here), grouped(there), strict=True):
        sides = (ours, others)
        table.add_row(
            ours[0].work,
            str(ours[0].clients),
            *(f"{statistics.median(each.per_second for each in side):,.0f}" for side in sides),
            spread(within_rounds(ours, others, by_rate), ".2f"),
            *(_median_milliseconds([each.p50_seconds for each in side]) for side in sides),
            *(_median_milliseconds([each.p99_seconds for each in side]) for side in sides),
            *(f"{statistics.median(map(_cpu_microseconds, side)):,.0f}" for side in sides),
        )
    return table


def _median_milliseconds(seconds: Sequence[float | None]) -> str:
    known = [each for each in seconds if each is not None]
    return milliseconds([statistics.median(known)] if known else [])


def _cpu_microseconds(each: Measurement) -> float:
    """Processor time of our functions for one of what was done; 0 where there is no ``/proc``."""
    ours = sum(share for program, share in each.cpu.items() if program in FUNCTIONS)
    return 1e6 * ours * cores() * each.seconds / max(1, each.completed)


if __name__ == "__main__":
    app()
