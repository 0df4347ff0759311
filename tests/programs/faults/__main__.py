"""``python -m tests.programs.faults``: run the proof from a seed, as ``make proof`` and ``make proof-short`` do."""

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.build.stage import ROOT
from infra.local.stack import STATE_FOLDER
from tests.programs.faults.broken_copy import MISTAKES, doctored
from tests.programs.faults.failing import keep, lines
from tests.programs.faults.plan import LONG, SHORT, make_plan
from tests.programs.faults.run import Outcome, run
from tests.programs.faults.shrinking import shrunk
from tests.programs.faults.summary import show
from tests.programs.faults.verdict import Verdict, judged


def prove(
    *,
    seed: Annotated[str, typer.Option(help="Seed of the run. Default: a new one.")] = "",
    short: Annotated[bool, typer.Option("--short", help="Run for one minute instead of ten.")] = False,
    mistake: Annotated[str, typer.Option(help=f"Run a copy with a mistake: {', '.join(MISTAKES)}")] = "",
    keep_anyway: Annotated[
        bool, typer.Option("--keep", help="Keep the histories even if every promise was kept.")
    ] = False,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only print the plan.")] = False,
) -> None:
    """Inject faults and run the judge. Fails if a promise was broken."""
    console = Console()
    plan = make_plan(seed or secrets.token_hex(4), SHORT if short else LONG)
    console.print(f"seed {plan.seed}")
    if plan_only:
        for line in plan.lines():
            console.print(line, markup=False, soft_wrap=True)
        return
    with tempfile.TemporaryDirectory(prefix="seatlease-mistake-") as copy:
        outcome = asyncio.run(run(plan, root=doctored(mistake, Path(copy)) if mistake else ROOT))
    verdict = judged(outcome)
    show(outcome, verdict, console)
    if keep_anyway or not verdict.is_kept:
        for path in keep(outcome.histories, STATE_FOLDER / f"proof-{plan.seed}"):
            console.print(f"complete history: {path}", soft_wrap=True)
    if not verdict.is_kept:
        _explain(outcome, verdict, console)
    raise typer.Exit(code=0 if verdict.is_kept else 1)


def _explain(outcome: Outcome, verdict: Verdict, console: Console) -> None:
    for history, violation in verdict.violations[:1]:
        console.print("The shortest history that shows the first violation:")
        for line in lines(shrunk(history, violation)):
            console.print(line, markup=False, soft_wrap=True)
    console.print(
        f"To run it again: make {'proof-short' if outcome.plan.scale is SHORT else 'proof'} SEED={outcome.plan.seed}"
    )


if __name__ == "__main__":
    typer.run(prove)
