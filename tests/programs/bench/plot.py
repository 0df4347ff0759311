"""The plot of a run: throughput and latency by the number of clients."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.programs.bench.finding import Finding
from tests.programs.bench.measurement import Measurement, Work
from tests.programs.bench.results import NOT_TO_QUOTE, Results
from tests.programs.bench.tables import spread

_CURVES = {Work.EMPTY: "#888888", Work.CYCLES: "#1f77b4", Work.HEARTBEATS: "#2ca02c"}
_PANELS: dict[str, Callable[[Measurement], float | None]] = {
    "per second": lambda each: each.per_second,
    "p99, ms": lambda each: None if each.p99_seconds is None else 1000 * each.p99_seconds,
}
_LINE_INCHES, _PANELS_INCHES, _TITLE_INCHES = 0.19, 3.4, 0.6


def write_plot(path: Path, results: Results, found: Sequence[Finding]) -> None:
    """Write an SVG of the empty function, cycles and heartbeats; a band is the spread over the rounds."""
    lines = _below(results, found)
    text_inches = _LINE_INCHES * (len(lines) + 1)
    height = _TITLE_INCHES + _PANELS_INCHES + text_inches
    # Text stays text, and the same figures give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "seatlease", "font.size": 9}):
        figure = Figure(figsize=(10, height))
        panels = figure.subplots(1, len(_PANELS))
        for axes, (label, value) in zip(panels, _PANELS.items(), strict=True):
            _draw(axes, [each for each in results.measurements if each.store is None], value)
            axes.set(xlabel="clients", ylabel=label)
        panels[0].legend(frameon=False)
        figure.suptitle(f"Seatlease: median and spread of {results.plan.rounds} round(s)")
        figure.subplots_adjust(
            left=0.08, right=0.98, bottom=(text_inches + 0.5) / height, top=1 - _TITLE_INCHES / height, wspace=0.22
        )
        figure.text(0.02, 0.1 / height, "\n".join(lines), va="bottom", linespacing=1.4)
        figure.savefig(path, format="svg", metadata={"Date": None, "Title": "Seatlease benchmark"})


def _draw(axes: Axes, measurements: Sequence[Measurement], value: Callable[[Measurement], float | None]) -> None:
    for work, color in _CURVES.items():
        by_clients: dict[int, list[float]] = {}
        for each in measurements:
            figure = value(each)
            if each.work is work and figure is not None:
                by_clients.setdefault(each.clients, []).append(figure)
        clients = sorted(by_clients)
        values = [by_clients[each] for each in clients]
        label = f"{work} (pairs)" if work is Work.CYCLES else work
        axes.plot(clients, [statistics.median(each) for each in values], marker="o", color=color, label=label)
        axes.fill_between(
            clients, [min(each) for each in values], [max(each) for each in values], color=color, alpha=0.2, linewidth=0
        )
    asked = sorted({each.clients for each in measurements if each.work in _CURVES})
    axes.set_xscale("log", base=2)
    axes.set_xticks(asked, [str(each) for each in asked])
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)


def _below(results: Results, found: Sequence[Finding]) -> list[str]:
    return [
        *([NOT_TO_QUOTE] if results.plan.is_quick else []),
        "E: requests per second of the empty function on the default threaded server, one process, 32 clients.",
        *(f"{each.name}: {spread(each.values, '.2f')}" for each in found if each.beside),
        results.machine.in_words,
        f"commit {results.machine.commit}",
    ]
