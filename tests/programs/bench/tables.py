"""The tables of the report: medians over the rounds, and the spread in parentheses."""

import statistics
from collections.abc import Iterable, Sequence

from rich.table import Table

from tests.programs.bench.cold import ColdStart
from tests.programs.bench.cpu import OTHERS
from tests.programs.bench.finding import Finding
from tests.programs.bench.measurement import Measurement, Work

Group = list[Measurement]

_WHAT = ("what", "delay ms", "clients", "processes")


def grouped(measurements: Sequence[Measurement]) -> list[Group]:
    """Put the rounds of the same measurement together."""
    groups: dict[tuple[Work, int, int, float | None], Group] = {}
    for work in Work:
        for each in measurements:
            if each.work is work:
                delay = None if each.store is None else each.store.delay_seconds
                groups.setdefault((work, each.clients, each.processes, delay), []).append(each)
    return list(groups.values())


def rates(groups: Sequence[Group]) -> Table:
    """Tell what was done in a second, and how long it took."""
    table = _table("Throughput and latency: median (min..max) over rounds", _WHAT)
    for column in ("per second", "p50 ms", "p95 ms", "p99 ms", "unfinished", "errors"):
        table.add_column(column, justify="right")
    for group in groups:
        table.add_row(
            *_what(group),
            spread([each.per_second for each in group], ".1f"),
            milliseconds(each.p50_seconds for each in group),
            milliseconds(each.p95_seconds for each in group),
            milliseconds(each.p99_seconds for each in group),
            str(sum(each.unfinished for each in group)),
            str(sum(each.error_count for each in group)),
        )
    return table


def cpu(groups: Sequence[Group]) -> Table:
    """Tell who used the processors."""
    table = _table("CPU while measuring: median share of all cores", _WHAT)
    programs = list(dict.fromkeys(name for group in groups for each in group for name in each.cpu))
    programs.sort(key=OTHERS.__eq__)
    for column in programs:
        table.add_column(column, justify="right")
    for group in groups:
        used = [[each.cpu[name] for each in group if name in each.cpu] for name in programs]
        shares = [f"{statistics.median(values):.0%}" if values else "" for values in used]
        table.add_row(*_what(group), *shares)
    return table


def store_use(groups: Sequence[Group]) -> Table:
    """Tell what each request that was granted or refused asked of the store."""
    used = [(group, [each.store for each in group if each.store is not None]) for group in groups]
    confined = all(each.is_confined for _, stores in used for each in stores)
    cores = "one core for each process of a function" if confined else "functions not confined to one core"
    table = _table(f"The store ({cores}): median (min..max) over rounds", _WHAT)
    columns = (
        "granted",
        "refused",
        "acquire p50 ms",
        "p99 ms",
        "calls of each",
        "queries of each",
        "reads of each",
    )
    for column in columns:
        table.add_column(column, justify="right")
    for group, stores in used:
        if stores:
            table.add_row(
                *_what(group),
                spread([each.granted for each in stores], ",.0f"),
                spread([each.refused for each in stores], ",.0f"),
                milliseconds(each.acquire_p50_seconds for each in stores),
                milliseconds(each.acquire_p99_seconds for each in stores),
                spread([each.each(each.calls) for each in stores], ".2f"),
                spread([each.each(each.queries) for each in stores], ".3f"),
                spread([each.each(each.documents_read) for each in stores], ".2f"),
            )
    return table


def starts(recorded: Sequence[ColdStart]) -> Table:
    """Tell what each import costs, and how long each start takes."""
    table = _table("Cold start: median (min..max) over rounds", ("what",))
    for column in ("CPU of the import, ms", "start to first answer, ms"):
        table.add_column(column, justify="right")
    for name in dict.fromkeys(each.name for each in recorded):
        of_name = [each for each in recorded if each.name == name]
        table.add_row(
            name,
            milliseconds(each.import_cpu_seconds for each in of_name),
            milliseconds(each.first_answer_seconds for each in of_name),
        )
    return table


def verdicts(found: Sequence[Finding]) -> Table:
    """Tell what was found, and whether it is what is asked for."""
    table = _table("Findings, each within its round: median (min..max) over rounds", ("what",))
    for column in ("value", "target"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for each in found:
        verdict = ("[green]pass[/]" if each.is_met else "[bold red]FAIL[/]") if each.is_target else ""
        table.add_row(each.name, spread(each.values, ".2f"), _target(each), verdict)
    return table


def milliseconds(seconds: Iterable[float | None]) -> str:
    """Write times for people; what there is no time of is left out."""
    return spread([1000 * each for each in seconds if each is not None], ".1f")


def spread(values: Sequence[float], form: str) -> str:
    """Write the median of values, and the least and the largest."""
    if not values:
        return "-"
    if len(values) == 1:
        return format(values[0], form)
    return f"{statistics.median(values):{form}} ({min(values):{form}}..{max(values):{form}})"


def _target(each: Finding) -> str:
    bounds = {">=": each.at_least, "<=": each.at_most, "<": each.below}
    target = " ".join(f"{sign} {bound:g}" for sign, bound in bounds.items() if bound is not None)
    return target if each.aim is None else f"{target} (aim {each.aim:g})"


def _what(group: Group) -> tuple[str, str, str, str]:
    first = group[0]
    delay = "" if first.store is None else f"{1000 * first.store.delay_seconds:.0f}"
    return first.work, delay, str(first.clients), str(first.processes)


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table
