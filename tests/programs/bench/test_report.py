"""What a run leaves for people and for programs."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

from infra.build.stage import ROOT
from tests.programs.bench.examples import measurement, results
from tests.programs.bench.findings import findings
from tests.programs.bench.measurement import Work
from tests.programs.bench.parts import Part
from tests.programs.bench.plan import QUICK, WHOLE
from tests.programs.bench.plot import write_plot
from tests.programs.bench.report import write_json
from tests.programs.bench.results import NOT_TO_QUOTE, Results

MEASURED = [
    measurement(work, rate * round_, clients=clients, round_=round_, beside=beside)
    for work, beside, rate in (
        (Work.EMPTY, Work.CYCLES, 1000),
        (Work.EMPTY, Work.HEARTBEATS, 1000),
        (Work.CYCLES, None, 500),
        (Work.HEARTBEATS, None, 1600),
        (Work.LOCKING, None, 1),
    )
    for clients in (8, 32)
    for round_ in (1, 2)
]


def plotted(recorded: Results, path: Path) -> str:
    """All text of the plot."""
    write_plot(path, recorded, findings(recorded))
    return "\n".join(ET.parse(path).getroot().itertext())  # noqa: S314 written a moment ago


def test_a_plot_names_the_machine_the_commit_and_the_ratios_to_the_empty_function_and_to_locks(tmp_path: Path) -> None:
    text = plotted(results(replace(WHOLE, parts=(Part.REQUESTS,)), *MEASURED), tmp_path / "plot.svg")

    assert "Some CPU" in text
    assert "commit c0ffee" in text
    assert "cycles / (E/2), 32 clients: 1.00 (1.00..1.00)" in text
    assert "heartbeats / E, 32 clients: 1.60 (1.60..1.60)" in text
    assert "cycles / cycles with locks, 32 clients: 500.00 (500.00..500.00)" in text
    assert NOT_TO_QUOTE not in text


def test_the_plot_of_a_quick_run_says_that_it_is_not_to_be_quoted(tmp_path: Path) -> None:
    assert NOT_TO_QUOTE in plotted(results(QUICK, *MEASURED), tmp_path / "plot.svg")


def test_the_same_figures_give_the_same_plot(tmp_path: Path) -> None:
    recorded = results(WHOLE, *MEASURED)
    for name in ("one.svg", "other.svg"):
        write_plot(tmp_path / name, recorded, findings(recorded))

    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()


def test_the_json_names_machine_commit_and_every_measurement_and_finding(tmp_path: Path) -> None:
    recorded = results(QUICK, *MEASURED)
    found = findings(recorded)

    write_json(tmp_path / "run.json", recorded, found)

    content = json.loads((tmp_path / "run.json").read_text())
    assert (content["commit"], content["machine"]["cpu"], content["to_quote"]) == ("c0ffee", "Some CPU", False)
    assert len(content["measurements"]) == len(MEASURED)
    assert [each["name"] for each in content["findings"]] == [each.name for each in found]


def test_without_a_plot_its_library_is_not_imported() -> None:
    code = "import sys, tests.programs.bench.cli; sys.exit('matplotlib' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)

    assert done.returncode == 0
