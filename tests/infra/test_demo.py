"""``make demo`` ends well when everything went as its story tells, and only then."""

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import create_autospec

import pytest
from google.cloud import firestore
from rich.console import Console
from typer.testing import CliRunner

from infra.local.audit_topic import Subscription
from infra.local.cli import app
from infra.local.demo import Person, Story, play
from infra.local.stack import Stack
from infra.stage import ROOT
from tests.infra.served import Served


@pytest.fixture
def screen() -> Console:
    """A console that remembers what was printed."""
    return Console(file=io.StringIO(), width=200)


def printed_on(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_the_demo_ends_well_and_says_so() -> None:
    command = [sys.executable, "-m", "infra.local", "demo"]

    played = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert played.returncode == 0, played.stdout + played.stderr
    assert "Everything went as the story tells it." in played.stdout
    assert "✗" not in played.stdout


def test_what_differs_from_the_story_is_told(
    local_stack: Served, screen: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With two seats for five people three are refused, and the story tells of two.
    monkeypatch.setattr("infra.local.demo.SEATS", 2)

    differences = play(Stack(**local_stack.state), screen)

    assert differences == ["the other two were refused and told when a seat may fall free"]
    assert "1 step(s) differed from the story" in printed_on(screen)
    assert "Everything went" not in printed_on(screen)


@pytest.mark.parametrize(("holds", "differences"), [(True, []), (False, ["three seats"])])
def test_a_check_remembers_what_does_not_hold(screen: Console, *, holds: bool, differences: list[str]) -> None:
    nobody = create_autospec(Person)
    story = Story(
        console=screen,
        database=create_autospec(firestore.Client),
        stack=create_autospec(Stack),
        trail=create_autospec(Subscription),
        owner=nobody,
        people=[],
        stranger=nobody,
    )

    story.check(that="three seats", holds=holds)

    assert story.differences == differences
    assert "three seats" in printed_on(screen)


@pytest.mark.parametrize(("differences", "status"), [([], 0), (["three seats"], 1)])
def test_the_demo_fails_when_something_differs(
    monkeypatch: pytest.MonkeyPatch, differences: list[str], status: int
) -> None:
    @contextmanager
    def no_stack() -> Iterator[None]:
        yield

    monkeypatch.setattr("infra.local.cli.running_stack", no_stack)
    monkeypatch.setattr("infra.local.cli.play", lambda _stack, _console: differences)
    # It would take the signals of the tests' own process.
    monkeypatch.setattr("infra.local.cli._stop_on_signals", lambda: None)

    played = CliRunner().invoke(app, ["demo"])

    assert played.exit_code == status
