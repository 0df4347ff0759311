"""The benchmark's command line: ``python -m tests.programs.bench --help``."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.local.jars import JarError
from infra.local.processes import StartError
from tests.programs.bench.expiry import LAPSED_SESSIONS, ORGANIZATIONS
from tests.programs.bench.findings import findings
from tests.programs.bench.http import UnexpectedAnswer
from tests.programs.bench.machine import this_machine
from tests.programs.bench.measured_parts import measure
from tests.programs.bench.parts import Part
from tests.programs.bench.plan import QUICK, WHOLE
from tests.programs.bench.report import tell, tell_machine, tell_results, write_json
from tests.programs.bench.results import NOT_TO_QUOTE, Results
from tests.programs.bench.stopping import Runner, ToldToStop
from tests.programs.bench.store20 import ENDED_SESSIONS

app = typer.Typer(add_completion=False)
# Written to a file, the tables keep their columns.
console = Console(width=None if sys.stdout.isatty() else 170)
problems = Console(stderr=True)

_ONLY = (
    "Measure this part alone. start: what importing each function costs, its first answer, and heartbeat's memory. "
    "requests: cycles, refusals and heartbeats of many clients. processes: several processes for one organization. "
    f"expire: one call of expire_sessions that has to end {LAPSED_SESSIONS:,} lapsed sessions of {ORGANIZATIONS} "
    f"organizations. store20: a store that takes 20 ms longer, and {ENDED_SESSIONS:,} ended sessions. "
    f"many: passes of expire and of reconcile over {WHOLE.organizations:,} organizations, without and with 20 ms. "
    "When left out: all of them; with --quick requests and processes."
)
_SECONDS = f"How long each measurement of requests lasts; {WHOLE.seconds:g}, with --quick {QUICK.seconds:g}."
_ROUNDS = f"How often everything is measured; {WHOLE.rounds}, with --quick {QUICK.rounds}."
_SESSIONS = f"Sessions that the heartbeats keep; {WHOLE.sessions}, with --quick {QUICK.sessions}."
_ORGANIZATIONS = f"Organizations of the part many; {WHOLE.organizations:,}."
_SESSIONS_OF_EACH = f"Open sessions of each of these organizations; {WHOLE.sessions_of_each}."
_QUICK = "A glance of less than a minute: fewer clients, one round. No measurement to quote; only errors are judged."


@app.command()
def bench(
    *,
    seconds: Annotated[float | None, typer.Option(min=0.5, help=_SECONDS)] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help=_ROUNDS)] = None,
    sessions: Annotated[int | None, typer.Option(min=100, help=_SESSIONS)] = None,
    organizations: Annotated[int | None, typer.Option(min=4, help=_ORGANIZATIONS)] = None,
    sessions_of_each: Annotated[int | None, typer.Option(min=1, help=_SESSIONS_OF_EACH)] = None,
    quick: Annotated[bool, typer.Option("--quick", help=_QUICK)] = False,
    only: Annotated[Part | None, typer.Option(help=_ONLY)] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write all measurements to this file.")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg", help="Also draw throughput and latency by number of clients into this file."),
    ] = None,
) -> None:
    """Measure the functions on this machine; fails when a target is missed or an error was answered."""
    plan = (QUICK if quick else WHOLE).changed(
        only=only,
        seconds=seconds,
        rounds=rounds,
        sessions=sessions,
        organizations=organizations,
        sessions_of_each=sessions_of_each,
    )
    if plot is not None and Part.REQUESTS not in plan.parts:
        message = f"the plot shows requests, but --only {only} measures none: leave out one of the two options"
        raise typer.BadParameter(message, param_hint="--plot")
    results = Results(plan=plan, machine=this_machine())
    tell_machine(console, results.machine)
    if plan.is_quick:
        console.print(NOT_TO_QUOTE)
    with explained_ends(), Runner() as runner:
        for part in plan.parts:
            with closing(measure(part, plan, runner=runner, console=console)) as measuring:
                for each in measuring:
                    tell(console, each)
                    results.add(each)
    found = findings(results)
    tell_results(console, results, found)
    if json is not None:
        write_json(json, results, found)
    if plot is not None:
        # Here and not above: it takes a second to import, and only the plot needs it.
        from tests.programs.bench.plot import write_plot  # noqa: PLC0415 see above

        write_plot(plot, results, found)
    if not all(each.is_met for each in found):
        raise typer.Exit(1)


@contextmanager
def explained_ends() -> Iterator[None]:
    """End with a sentence and not with a traceback where the sentence says what to do, or that it was told to stop."""
    try:
        yield
    except ToldToStop:
        console.print("Stopped.")
        raise typer.Exit(130) from None
    except (JarError, StartError, UnexpectedAnswer) as error:
        problems.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from None
