"""The output at the end of a run."""

from collections import Counter

from rich.console import Console
from rich.table import Table

from tests.programs.faults.failing import words
from tests.programs.faults.run import Outcome
from tests.programs.faults.verdict import (
    Verdict,
    borrows,
    commits,
    kept_out,
    overdraft_seats,
    overhangs,
    peak_of_seats,
    places,
    reserved_seats,
    served_from_line,
)

_MOST_SHOWN = 20


def show(outcome: Outcome, verdict: Verdict, console: Console) -> None:
    """Print what was done, what was answered, and the verdict."""
    plan, notes = outcome.plan, outcome.notes
    table = Table(title=f"seed {plan.seed}: {outcome.seconds:.0f} s", show_header=False)
    events = sum(len(history.events) for history in outcome.histories)
    for name, value in (
        ("organizations, licenses", f"{len(plan.organizations)}, {sum(len(o.licenses) for o in plan.organizations)}"),
        ("clients", len(plan.clients)),
        ("processes of functions", len(plan.instances)),
        ("admins' edits", sum(map(len, notes.edits.values()))),
        ("answers compared with the contract", len(notes.answers)),
        ("slowest answer", f"{notes.slowest:.1f} s"),
        ("commits judged, events in them", f"{sum(map(commits, outcome.histories))}, {events}"),
        ("messages received", sum(len(history.messages or ()) for history in outcome.histories)),
        (
            "grants of reserved seats, of overdraft seats",
            f"{len(reserved_seats(outcome))}, {len(overdraft_seats(outcome))}",
        ),
        ("borrows, seats taken back", f"{len(borrows(outcome))}, {len(overhangs(outcome))}"),
        ("places in the line, seats after waiting", f"{len(places(outcome))}, {len(served_from_line(outcome))}"),
        ("users kept out", len(kept_out(outcome))),
        ("most seats in use at a time", ", ".join(str(peak_of_seats(each)) for each in outcome.histories)),
    ):
        table.add_row(name, str(value))
    console.print(table)
    console.print(_counts("requests", {f"{name} {code}": n for (name, code), n in notes.outcomes.items()}))
    console.print(_counts("faults", {kind.value: number for kind, number in notes.done.items()}))
    told = Counter(violation.kind for _, violation in verdict.violations)
    for kind, number in told.items():
        console.print(f"[red]{number} x {kind}[/red]")
    for _, violation in verdict.violations[:_MOST_SHOWN]:
        console.print(words(violation), markup=False, soft_wrap=True)
    for breach in verdict.breaches[:_MOST_SHOWN]:
        console.print(breach, markup=False, soft_wrap=True)
    word = "[green]every promise was kept[/green]" if verdict.is_kept else "[red]a promise was broken[/red]"
    console.print(f"seed {plan.seed}: {word}")


def _counts(title: str, counts: dict[str, int]) -> Table:
    table = Table(title=title, show_header=False)
    for name, number in sorted(counts.items()):
        table.add_row(name, str(number))
    return table
