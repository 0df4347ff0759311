"""The report: tables for people, JSON for programs."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.cpu import OTHERS
from tests.bench.findings import Finding
from tests.bench.machine import Machine
from tests.bench.measurement import Measurement, Work

Group = list[Measurement]

_NOTICEABLE = 0.1


def tell_machine(console: Console, machine: Machine) -> None:
    """Print what this is measured on."""
    load = "" if machine.load_average is None else f", load average before {machine.load_average:.2f}"
    console.print(f"{machine.cores} cores, {machine.cpu}, {machine.system}, Python {machine.python}{load}")
    console.print(f"commit {machine.commit}")


def tell_measurement(console: Console, each: Measurement) -> None:
    """Print a line about one measurement, as it comes in."""
    errors = f", errors {dict(each.errors)}" if each.errors else ""
    written = f", {each.written:.1%} written (lease {each.lease_seconds} s)" if each.written is not None else ""
    rate = f"{each.per_second:.1f}/s, p50 {_milliseconds([each.p50_seconds])} ms"
    console.print(f"round {each.round}: {each.work}, {each.clients} clients: {rate}{written}{errors}", highlight=False)


def tell_results(console: Console, measurements: Sequence[Measurement], found: Sequence[Finding]) -> None:
    """Print the tables: medians over the rounds, and the spread in parentheses."""
    groups = _grouped(measurements)
    for table in (_rates(groups), _cpu(groups), _verdicts(found)):
        console.print(table)
    elsewhere = max((each.cpu.get(OTHERS, 0.0) for each in measurements), default=0.0)
    if elsewhere > _NOTICEABLE:
        console.print(f"Others used up to {elsewhere:.0%} of this machine meanwhile: measure again when it is idle.")


def write_json(path: Path, *, machine: Machine, measurements: Sequence[Measurement], found: Sequence[Finding]) -> None:
    """Write every measurement and finding, times in seconds."""
    content = {
        "machine": asdict(machine),
        "measurements": [{**asdict(each), "per_second": each.per_second} for each in measurements],
        "findings": [
            {**asdict(each), "median": each.median if each.values else None, "is_met": each.is_met} for each in found
        ],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def _grouped(measurements: Sequence[Measurement]) -> list[Group]:
    groups: dict[tuple[Work, int], Group] = {}
    for work in Work:
        for each in measurements:
            if each.work is work:
                groups.setdefault((work, each.clients), []).append(each)
    return list(groups.values())


def _rates(groups: Sequence[Group]) -> Table:
    table = _table("Throughput and latency: median (min..max) over rounds", ("what", "clients"))
    for column in ("per second", "p50 ms", "p95 ms", "p99 ms", "unfinished", "errors"):
        table.add_column(column, justify="right")
    for group in groups:
        table.add_row(
            group[0].work,
            str(group[0].clients),
            _spread([each.per_second for each in group], ".1f"),
            _milliseconds(each.p50_seconds for each in group),
            _milliseconds(each.p95_seconds for each in group),
            _milliseconds(each.p99_seconds for each in group),
            str(sum(each.unfinished for each in group)),
            str(sum(each.error_count for each in group)),
        )
    return table


def _cpu(groups: Sequence[Group]) -> Table:
    table = _table("CPU while measuring: median share of all cores", ("what", "clients"))
    programs = list(dict.fromkeys(name for group in groups for each in group for name in each.cpu))
    programs.sort(key=OTHERS.__eq__)
    for column in programs:
        table.add_column(column, justify="right")
    for group in groups:
        used = [[each.cpu[name] for each in group if name in each.cpu] for name in programs]
        shares = [f"{statistics.median(values):.0%}" if values else "" for values in used]
        table.add_row(group[0].work, str(group[0].clients), *shares)
    return table


def _verdicts(found: Sequence[Finding]) -> Table:
    table = _table("Findings, each within its round: median (min..max) over rounds", ("what",))
    for column in ("value", "target"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for each in found:
        target = f">= {each.at_least:g}" if each.at_least is not None else ""
        target += f"< {each.below:g}" if each.below is not None else ""
        verdict = ("[green]pass[/]" if each.is_met else "[bold red]FAIL[/]") if each.is_target else ""
        table.add_row(each.name, _spread(each.values, ".2f"), target, verdict)
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table


def _milliseconds(seconds: Iterable[float | None]) -> str:
    return _spread([1000 * each for each in seconds if each is not None], ".1f")


def _spread(values: Sequence[float], form: str) -> str:
    if not values:
        return "-"
    if len(values) == 1:
        return format(values[0], form)
    return f"{statistics.median(values):{form}} ({min(values):{form}}..{max(values):{form}})"
