"""The report: lines and tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import assert_never

from rich.console import Console

from tests.programs.bench.cold import ColdStart
from tests.programs.bench.cpu import OTHERS
from tests.programs.bench.finding import Finding
from tests.programs.bench.machine import Machine
from tests.programs.bench.measurement import Measurement
from tests.programs.bench.memory import Memory
from tests.programs.bench.results import NOT_TO_QUOTE, Recorded, Results
from tests.programs.bench.tables import cpu, grouped, milliseconds, rates, starts, store_use, verdicts

_NOTICEABLE = 0.1
_MEGABYTE = 1e6


def tell_machine(console: Console, machine: Machine) -> None:
    """Print what this is measured on."""
    console.print(machine.in_words)
    console.print(f"commit {machine.commit}")


def tell(console: Console, each: Recorded) -> None:
    """Print a line about one measurement, as it comes in."""
    match each:
        case Measurement():
            line = f"round {each.round}: {_line(each)}"
        case ColdStart():
            answer = (
                "" if each.first_answer_seconds is None else f", first answer after {each.first_answer_seconds:.2f} s"
            )
            line = f"round {each.round}: import of {each.name}: {1000 * each.import_cpu_seconds:.0f} ms of CPU{answer}"
        case Memory():
            line = f"memory of {each.name} after {each.requests:,} requests: {each.resident_bytes / _MEGABYTE:.1f} MB"
        case _:
            assert_never(each)
    console.print(line, highlight=False)


def tell_results(console: Console, results: Results, found: Sequence[Finding]) -> None:
    """Print the tables, and what speaks against quoting them."""
    if results.starts:
        console.print(starts(results.starts))
    if results.measurements:
        groups = grouped(results.measurements)
        console.print(rates(groups))
        console.print(cpu(groups))
        if any(each.store for each in results.measurements):
            console.print(store_use(groups))
    console.print(verdicts(found))
    elsewhere = max((each.cpu.get(OTHERS, 0.0) for each in results.measurements), default=0.0)
    if elsewhere > _NOTICEABLE:
        console.print(f"Other programs used up to {elsewhere:.0%} of this machine: measure again when it is idle.")
    if results.plan.is_quick:
        console.print(f"{NOT_TO_QUOTE} Only errors are judged.")


def write_json(path: Path, results: Results, found: Sequence[Finding]) -> None:
    """Write every measurement and finding, times in seconds."""
    content = {
        "commit": results.machine.commit,
        "machine": {**asdict(results.machine), "in_words": results.machine.in_words},
        "to_quote": not results.plan.is_quick,
        "plan": asdict(results.plan),
        "measurements": [{**asdict(each), "per_second": each.per_second} for each in results.measurements],
        "cold_starts": [asdict(each) for each in results.starts],
        "memory": [asdict(each) for each in results.memory],
        "findings": [
            {**asdict(each), "median": each.median if each.values else None, "is_met": each.is_met} for each in found
        ],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def _line(each: Measurement) -> str:
    errors = f", errors {dict(each.errors)}" if each.errors else ""
    written = f", {each.written:.1%} written (lease {each.lease_seconds} s)" if each.written is not None else ""
    processes = f", {each.processes} processes" if each.processes > 1 else ""
    if each.store is not None:
        processes += f", {1000 * each.store.delay_seconds:.0f} ms"
    rate = f"{each.per_second:.1f}/s, p50 {milliseconds([each.p50_seconds])} ms"
    return f"{each.work}, {each.clients} clients{processes}: {rate}{written}{errors}"
