"""``python -m tests.programs.abuse``: play the floods of one member, and print what they cause and cost."""

import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.build.stage import ROOT
from infra.local.seed import firestore_client
from tests.programs.abuse.floods import Caused, Flood, Run
from tests.programs.abuse.money import dollars_a_day, gib_a_day
from tests.programs.bench.against import check_out
from tests.programs.bench.cli import console, explained_ends
from tests.programs.bench.machine import this_machine
from tests.programs.bench.report import tell_machine
from tests.programs.bench.servers import DELAY_PROXY, PROJECT, running_servers
from tests.programs.bench.stopping import Runner
from tests.programs.bench.tenants import make_tenant

_ROOM = 1_000_000
_FUNCTIONS = ("acquire", "release")
_COLUMNS = (
    "requests",
    "answers of acquire",
    "documents",
    "calls",
    "places held",
    "neighbour ms",
    "GiB a day",
    "USD a day",
    "for any requests",
)


def abuse(
    *,
    against: Annotated[str | None, typer.Option(metavar="COMMIT", help="Play them on another commit first.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of each flood, after the burst is used up.")] = 10,
    flood: Annotated[list[Flood] | None, typer.Option(help="Flood to play; may be repeated. Default: all.")] = None,
) -> None:
    """Flood one instance of acquire and release as one member of an organization, as fast as it answers.

    The last two columns are what a day costs by list prices: what the service does, and what the platform bills for
    requests whatever they are. Several instances cost as many times as much.
    """
    tell_machine(console, this_machine())
    with explained_ends(), ExitStack() as cleanup:
        others, sides = ROOT, {"this working tree": 1}
        if against is not None:
            folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="seatlease-abuse-"))
            others, sides = check_out(against, Path(folder)), {against: 2, **sides}
        runner = cleanup.enter_context(Runner())
        servers = cleanup.enter_context(
            running_servers(*_FUNCTIONS * len(sides), others_from=others, as_in_production=True)
        )
        database = firestore_client(project=PROJECT, firestore_host=servers.firestore_host)
        for side, (version, first) in enumerate(sides.items()):
            caused = []
            for each in flood or list(Flood):
                console.print(f"{version}: {each}")
                # Denials need a full license, the other floods one with room.
                seats = 0 if each is Flood.DENIALS else _ROOM
                tenant = make_tenant(database, f"abuse-{side}-{each.name.lower()}", users=2, seats=seats)
                run = Run(
                    servers=servers.part(first, 1),
                    proxy=servers.url(DELAY_PROXY),
                    database=database,
                    tenant=tenant,
                    flood=each,
                    seconds=seconds,
                )
                caused.append(runner.run(run.measure()))
            console.print(_table(version, caused))


def _table(version: str, caused: Sequence[Caused]) -> Table:
    table = Table(title=f"One member, one instance of each function, {version}: a second, after the burst")
    table.add_column("flood")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for each in caused:
        dollars = dollars_a_day(each)
        table.add_row(
            each.flood,
            f"{each.answers.total() / each.seconds:,.0f}",
            _statuses(each),
            f"{each.documents / each.seconds:,.1f}",
            f"{(each.calls.total() - each.calls['documents_read']) / each.seconds:,.1f}",
            f"{each.held_seconds / each.seconds:,.0f}" if each.flood is Flood.SLOW_BODIES else "",
            _neighbour(each),
            f"{gib_a_day(each):,.1f}",
            f"{dollars['service']:,.2f}",
            f"{dollars['requests']:,.2f}",
        )
    return table


def _statuses(caused: Caused) -> str:
    of_acquire = sorted((status, number) for (name, status), number in caused.answers.items() if name == "acquire")
    return ", ".join(f"{status}: {number / caused.seconds:,.0f}" for status, number in of_acquire)


def _neighbour(caused: Caused) -> str:
    """The median and the longest wait, and what was answered."""
    took = caused.neighbour_seconds
    answers = "/".join(str(status) for status in sorted(caused.neighbour))
    return f"{1000 * statistics.median(took):,.0f} (max {1000 * max(took):,.0f}): {answers}"


if __name__ == "__main__":
    typer.run(abuse)
