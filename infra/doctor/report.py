"""Print the findings as a table or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from infra.doctor.finding import Finding, Mark

_MARKS = {Mark.OK: "[green]✓[/]", Mark.WRONG: "[red]✗[/]", Mark.UNKNOWN: "[yellow]?[/]"}


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Whether every check was possible and found nothing wrong."""
    return bool(findings) and all(finding.mark is Mark.OK for finding in findings)


def as_json(findings: Sequence[Finding], *, project: str) -> str:
    report = {
        "project": project,
        "ok": is_healthy(findings),
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(report, indent=2)


def tell(findings: Sequence[Finding], console: Console, *, title: str) -> None:
    """Print a table, and below it each command unbroken, so that it can be copied."""
    table = Table(title=title, title_justify="left")
    for heading in ("", "area", "what", "found"):
        table.add_column(heading, overflow="fold")
    table.add_column("ms", justify="right")
    for finding in findings:
        table.add_row(
            _MARKS[finding.mark],
            _plain(finding.area),
            _plain(finding.subject),
            _plain(finding.found if finding.mark is not Mark.UNKNOWN else f"{finding.mark}: {finding.found}"),
            "" if finding.milliseconds is None else str(finding.milliseconds),
        )
    console.print(table)
    for mend, mended in _by_mend(findings).items():
        console.print()
        for finding in mended:
            console.print(f"{finding.area}, {finding.subject}:", markup=False, highlight=False, soft_wrap=True)
        console.print(f"    {mend}", markup=False, highlight=False, soft_wrap=True)
    wrong = sum(finding.mark is Mark.WRONG for finding in findings)
    unknown = sum(finding.mark is Mark.UNKNOWN for finding in findings)
    healthy = len(findings) - wrong - unknown
    console.print(f"\n{healthy} ok, {wrong} wrong, {unknown} could not be checked", highlight=False)


def _by_mend(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Group the findings that one command solves, so that it is printed and run once."""
    mended: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.mend is not None:
            mended.setdefault(finding.mend, []).append(finding)
    return mended


def _plain(text: str) -> str:
    # A service's message may contain square brackets, which are not markup.
    return text.replace("[", r"\[")
