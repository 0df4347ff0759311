"""What is compared with another commit is what that commit has, and the ratios are those within a round."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from infra.local.processes import StartError
from tests.programs.bench import against
from tests.programs.bench.against import check_out, compared
from tests.programs.bench.examples import measurement
from tests.programs.bench.measurement import Work

_GIT = shutil.which("git")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit."""
    if _GIT is None:
        pytest.skip("there is no git here")
    root = tmp_path / "repository"
    root.mkdir()
    (root / "main.py").write_text("committed = 1\n")
    for command in (
        ["init", "--quiet"],
        ["add", "main.py"],
        ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "one"],
    ):
        subprocess.run([_GIT, "-C", str(root), *command], check=True)
    monkeypatch.setattr(against, "ROOT", root)
    return root


def test_the_other_side_has_the_files_of_the_commit_and_not_those_of_the_working_tree(
    repository: Path, tmp_path: Path
) -> None:
    (repository / "main.py").write_text("changed = 2\n")
    (repository / "new.py").write_text("")

    there = check_out("HEAD", tmp_path / "there")

    assert (there / "main.py").read_text() == "committed = 1\n"
    assert [each.name for each in there.iterdir()] == ["main.py"]


def test_a_commit_that_is_not_there_is_said_so(repository: Path, tmp_path: Path) -> None:
    assert repository.exists()

    with pytest.raises(StartError, match="git cannot read the commit nonsense"):
        check_out("nonsense", tmp_path / "there")


def test_the_ratio_is_the_median_of_those_within_the_rounds_and_not_of_the_medians() -> None:
    # The machine is three times as fast in the last round: the medians of both sides would say 300 / 200.
    rates = [(100, 200), (300, 100), (600, 600)]
    here, there = (
        [measurement(Work.CYCLES, rate, round_=number) for number, rate in enumerate(side, start=1)]
        for side in zip(*rates, strict=True)
    )

    written = io.StringIO()
    Console(width=170, file=written).print(compared(here, there, commit="HEAD~1"))

    text = written.getvalue()
    assert "1.00 (0.50..3.00)" in text
    assert "HEAD~1" in text
