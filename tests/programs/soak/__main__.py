"""``make soak``: half an hour at half of the servers' capacity, in which nothing may grow."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.local.seed import firestore_client
from tests.programs.bench import proc
from tests.programs.bench.machine import this_machine
from tests.programs.bench.servers import FUNCTIONS, PROJECT, Servers, replace_firestore, running_servers
from tests.programs.bench.stopping import Runner
from tests.programs.bench.tenants import Tenant, make_tenant
from tests.programs.soak.flat import Sample, Trend, trends
from tests.programs.soak.held import held
from tests.programs.soak.load import BORROWED_FOR, Stretch, put_load

_CLIENTS = 32
_USERS_OF_A_CLIENT = 8
"""The service limits how often one user asks."""
_WARM_UP_SECONDS, _CAPACITY_SECONDS = 30.0, 10.0
_STRETCH_SECONDS = 30.0
_GONE_AFTER_SECONDS = 1.0
"""So long after the clients have gone no connection of theirs is open."""
_SETTLE_SECONDS, _STRETCHES_OF_AN_EMULATOR = 15.0, 6

_console = Console()


def soak(
    *, minutes: Annotated[float, typer.Option(min=3, help="Minutes, after warming up and measuring the capacity.")] = 30
) -> None:
    """Let 32 clients acquire, keep and release seats at half of the servers' capacity, and look for growth.

    Every tenth seat is borrowed.

    Every half minute they belong to another organization: what is kept for each shows. The emulator keeps every version
    of every document in its memory, deleted or not, 14 kB for a round, and its pauses get longer with all that it has.
    So every few minutes there is a new one, and it runs warm before anything is judged.
    """
    if not proc.is_there():
        _console.print("make soak needs Linux, because it reads /proc")
        raise typer.Exit(2)
    _console.print(this_machine().in_words, f"\ncommit {this_machine().commit}", highlight=False)
    with Runner() as runner, running_servers(*FUNCTIONS) as servers:
        numbers = count(1)

        def stretch(seconds: float, pace: float | None) -> Stretch:
            with closing(firestore_client(project=PROJECT, firestore_host=servers.firestore_host)) as database:
                tenant: Tenant = make_tenant(database, f"soak-{next(numbers)}", users=_CLIENTS * _USERS_OF_A_CLIENT)
                tenant.license.update({"max_borrow_seconds": int(BORROWED_FOR.total_seconds())})
            clients = [tenant.devices[number::_CLIENTS] for number in range(_CLIENTS)]
            return runner.run(put_load(servers, clients, seconds=seconds, pace=pace))

        stretch(_WARM_UP_SECONDS, None)
        capacity = stretch(_CAPACITY_SECONDS, None).per_second
        _console.print(
            f"Capacity: {capacity:.0f} rounds of acquire, heartbeat and release per second. Now running at half of it."
        )
        samples, errors = [], Counter[str]()
        for number in range(int(minutes * 60 / _STRETCH_SECONDS)):
            if number and number % _STRETCHES_OF_AN_EMULATOR == 0:
                replace_firestore(servers)
                stretch(_SETTLE_SECONDS, capacity / 2)
            done = stretch(_STRETCH_SECONDS, capacity / 2)
            errors += done.errors
            time.sleep(_GONE_AFTER_SECONDS)
            samples.append(_sample(done, servers))
            _console.print(_line(samples), highlight=False)
    found = list(trends(samples))
    _console.print(_table(found))
    rounds = sum(each.completed for each in samples)
    _console.print(f"{rounds:,} rounds, {3 * rounds:,} requests, errors: {dict(errors) or 'none'}", highlight=False)
    sys.exit(0 if not errors and all(each.is_flat for each in found) else 1)


def _sample(done: Stretch, servers: Servers) -> Sample:
    return Sample(
        p50_seconds=done.quantile(50),
        p99_seconds=done.quantile(99),
        completed=len(done.durations_seconds),
        errors=done.errors.total(),
        held={name: held(servers.pids[name][0]) for name in FUNCTIONS},
    )


def _line(samples: Sequence[Sample]) -> str:
    last = samples[-1]
    kept = ", ".join(
        f"{name} {each.resident_bytes / 1e6:.0f} MB {each.open_files} files {each.threads} threads"
        for name, each in last.held.items()
    )
    return (
        f"{len(samples) * _STRETCH_SECONDS / 60:4.1f} min: {last.completed} rounds, {last.errors} errors, "
        f"p50 {1000 * last.p50_seconds:.0f} ms, p99 {1000 * last.p99_seconds:.0f} ms; {kept}"
    )


def _table(found: Sequence[Trend]) -> Table:
    table = Table(title="Medians of the second third of the time and of the last")
    for column in ("what", "before", "after", "at most", "verdict"):
        table.add_column(column, justify="left" if column in {"what", "verdict"} else "right")
    for each in found:
        verdict = "[green]flat[/]" if each.is_flat else "[bold red]GROWS[/]"
        table.add_row(each.what, f"{each.before:.1f}", f"{each.after:.1f}", f"{each.limit:.1f}", verdict)
    return table


if __name__ == "__main__":
    typer.run(soak)
