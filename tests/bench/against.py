"""This working tree against another commit, in turns: ``python -m tests.bench.against --help``.

Two runs of the benchmark differ by more than most changes are worth, for others use the machine as well. Here both
versions run at the same time, on one emulator, and are loaded one right after the other, round after round: what is
compared is the ratio within a round.
"""

import io
import shutil
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.local.processes import StartError
from infra.local.seed import firestore_client
from infra.stage import ROOT
from tests.bench.bench import FULL_SEATS, Bench
from tests.bench.cli import explained_errors
from tests.bench.cpu import cores
from tests.bench.machine import this_machine
from tests.bench.measurement import Measurement
from tests.bench.report import console_for_tables, tell_machine
from tests.bench.servers import FUNCTIONS, PROJECT, Servers, running_servers
from tests.bench.stopping import Runner, ToldToStop
from tests.bench.tables import milliseconds, spread
from tests.bench.tenants import make_tenant

_HERE, _THERE = 0, 1
_SESSIONS, _DEVICES_EACH = 2_000, 10
_EXPECTED_HEARTBEATS = 3_000
"""A second: the leases are such that each heartbeat is written at half of it and at twice as many."""

_WARM_UPS, _WARM_UP_CLIENTS = 5, 32

app = typer.Typer(add_completion=False)


class Load(StrEnum):
    """What can be put on both."""

    CYCLES = "cycles"
    REFUSALS = "refusals"
    HEARTBEATS = "heartbeats"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The same load on both versions, one right after the other."""

    here: Measurement
    there: Measurement

    @property
    def ratio(self) -> float:
        """How many times as much is done here as there."""
        return self.here.per_second / self.there.per_second


@app.command()
def against(
    commit: Annotated[str, typer.Argument(help="What to compare with: a commit, a branch, HEAD~3.")],
    *,
    load: Annotated[list[Load] | None, typer.Option(help="Put this load; once for each. When left out: all.")] = None,
    clients: Annotated[list[int] | None, typer.Option(min=1, help="With so many clients; 8 and 32.")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each measurement lasts.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="How often everything is measured.")] = 5,
) -> None:
    """Measure this working tree against another commit: one process of each function, one emulator, in turns.

    Both run with the libraries that are installed here.
    """
    console = console_for_tables()
    tell_machine(console, this_machine())
    with explained_errors(), tempfile.TemporaryDirectory(prefix="seatlease-against-") as folder:
        there = check_out(commit, Path(folder))
        try:
            with Runner() as runner, running_servers(*FUNCTIONS * 2, second_from=there) as servers:
                benches = _benches(servers, runner, most=max(clients or [_WARM_UP_CLIENTS]), seconds=seconds)
                console.print("warming up")
                pairs = list(_measured(benches, load or list(Load), clients or [8, _WARM_UP_CLIENTS], rounds=rounds))
        except ToldToStop:
            console.print("stopped everything that was started")
            raise typer.Exit(130) from None
    console.print(compared(pairs, commit=commit))
    _tell_errors(console, pairs)


def check_out(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder, and return it.

    Raises:
        StartError: there is no git, or it knows no such commit.
    """
    git = shutil.which("git")
    if git is None:
        message = "there is no git here, so another commit cannot be had"
        raise StartError(message)
    done = subprocess.run([git, "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        message = f"git gives no files of {commit}: {done.stderr.decode(errors='replace').strip()}"
        raise StartError(message)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def _benches(servers: Servers, runner: Runner, *, most: int, seconds: float) -> tuple[Bench, Bench]:
    """Look at the two versions one at a time; the organizations are the same."""
    database = firestore_client(project=PROJECT, firestore_host=servers.firestore_host)
    numbers = count(1)
    clients = max(most, _WARM_UP_CLIENTS)
    both = Bench(
        runner=runner,
        servers=servers,
        database=database,
        hot=lambda: make_tenant(database, f"hot-{next(numbers)}", users=clients),
        full=make_tenant(database, "full", users=FULL_SEATS + clients, seats=FULL_SEATS),
        working=make_tenant(database, "working", users=_SESSIONS // _DEVICES_EACH, devices_each=_DEVICES_EACH),
        seconds=seconds,
    )
    emulator = {"firestore": servers.running["firestore"]}
    here, there = (replace(each, running={**emulator, **each.running}) for each in servers.instances(2))
    return replace(both, servers=here), replace(both, servers=there)


def _measured(
    benches: tuple[Bench, Bench], loads: Sequence[Load], clients: Sequence[int], *, rounds: int
) -> Iterator[Pair]:
    for _ in range(_WARM_UPS):
        for load in loads:
            for bench in benches:
                _put(bench, load, _WARM_UP_CLIENTS)
    for number in range(1, rounds + 1):
        # Whoever comes first may find the machine in another state than the one after it.
        order = (_HERE, _THERE) if number % 2 else (_THERE, _HERE)
        for load in loads:
            for each in clients:
                came = {side: _put(replace(benches[side], round_=number), load, each) for side in order}
                yield Pair(here=came[_HERE], there=came[_THERE])


def _put(bench: Bench, load: Load, clients: int) -> Measurement:
    if load is Load.CYCLES:
        return bench.cycles(clients)
    if load is Load.REFUSALS:
        return bench.refusals(clients)
    return bench.heartbeats(clients, expected_per_second=_EXPECTED_HEARTBEATS)


def compared(pairs: Sequence[Pair], *, commit: str) -> Table:
    """Tell what both did, and the ratios: medians over the rounds, and the spread."""
    table = Table(title=f"This working tree against {commit}: median (min..max) over rounds", title_justify="left")
    table.add_column("what")
    for column in ("clients", "a second", "there", "ratio", "p50 ms", "there", "p99 ms", "there", "CPU µs", "there"):
        table.add_column(column, justify="right")
    for key in dict.fromkeys((pair.here.work, pair.here.clients) for pair in pairs):
        rounds = [pair for pair in pairs if (pair.here.work, pair.here.clients) == key]
        here, there = [pair.here for pair in rounds], [pair.there for pair in rounds]
        table.add_row(
            key[0],
            str(key[1]),
            *(f"{statistics.median(each.per_second for each in side):,.0f}" for side in (here, there)),
            spread([pair.ratio for pair in rounds], ".2f"),
            *(_median_milliseconds([each.p50_seconds for each in side]) for side in (here, there)),
            *(_median_milliseconds([each.p99_seconds for each in side]) for side in (here, there)),
            *(f"{statistics.median(map(_cpu_microseconds, side)):,.0f}" for side in (here, there)),
        )
    return table


def _median_milliseconds(seconds: Sequence[float | None]) -> str:
    return milliseconds([statistics.median(each for each in seconds if each is not None)])


def _cpu_microseconds(each: Measurement) -> float:
    """Processor time of our functions for one of what was done; 0 where there is no ``/proc``."""
    ours = sum(share for program, share in each.cpu.items() if program in FUNCTIONS)
    return 1e6 * ours * cores() * each.seconds / max(1, each.completed)


def _tell_errors(console: Console, pairs: Sequence[Pair]) -> None:
    errors = {
        f"{each.work}, {where}": dict(each.errors)
        for pair in pairs
        for where, each in (("here", pair.here), ("there", pair.there))
        if each.errors
    }
    if errors:
        console.print(f"answered with errors: {errors}")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
