"""``make demo`` ends well when everything went as its story tells, and only then."""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import create_autospec
from uuid import uuid4

import pytest
from google.cloud import firestore
from rich.console import Console
from typer.testing import CliRunner

from infra.build.stage import ROOT
from infra.local import demo
from infra.local.audit_topic import Received, Subscription
from infra.local.cli import app
from infra.local.demo import Person, Story, client, play
from infra.local.stack import Stack
from tests.infra.little_server import little_server
from tests.infra.served import Served


@pytest.fixture
def screen() -> Console:
    """A console that remembers what was printed."""
    return Console(file=io.StringIO(), width=200)


def printed_on(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.fixture
def stack(local_stack: Served, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A running stack, on which the story has not been played yet as it is played now."""
    monkeypatch.setattr("infra.local.demo.ORGANIZATION_ID", f"northwind-{uuid4().hex[:8]}")
    return Stack(**local_stack.state)


def events_shown(printed: str) -> list[str]:
    """The types in the table of the trail, from above."""
    return re.findall(r"^│ [0-9:.]+ +│ session\.(\w+) ", printed, re.MULTILINE)


@pytest.mark.long
def test_the_demo_ends_well_and_shows_the_trail_in_order() -> None:
    command = [sys.executable, "-m", "infra.local", "demo", "--fast"]

    played = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert played.returncode == 0, played.stdout + played.stderr
    assert "Passed: every step went as expected." in played.stdout
    assert "✗" not in played.stdout
    shown = events_shown(played.stdout)
    # Who waits is refused again and again, which is one denial a minute, shown where the latest attempt was.
    granted_and_ended = [kind for kind in shown if kind not in {"denied", "queued"}]
    in_turn = ["expired", "acquired", "released", "acquired"]
    of_the_program = ["released", "acquired", "released", "acquired"]
    assert granted_and_ended == [*["acquired"] * 3, *in_turn, *of_the_program, "revoked", "expired"]
    assert shown[:3] == ["acquired"] * 3
    assert shown.count("denied") >= 2
    assert shown.count("queued") == 1


@pytest.mark.long
def test_what_differs_from_the_story_is_told(stack: Stack, screen: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    # With two seats for five people three are denied, and the demo expects two.
    monkeypatch.setattr("infra.local.demo.SEATS", 2)

    differences = play(stack, screen)

    assert differences == ["two were denied, and learned when a seat may become free"]
    assert "Failed: 1 step(s) went differently." in printed_on(screen)
    assert "Passed:" not in printed_on(screen)


@pytest.mark.long
def test_an_event_that_the_trail_misses_is_told(stack: Stack, screen: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: set[str] = set()
    pull = Subscription.pull

    def pull_and_lose(trail: Subscription, **how: Any) -> list[Received]:  # noqa: ANN401 passed on
        received = pull(trail, **how)
        # One of two, so that nothing but its absence differs.
        ours = [each.event for each in received if each.event["organization_id"] == demo.ORGANIZATION_ID]
        expired = [event["event_id"] for event in ours if event["type"] == "session.expired"]
        if not lost:
            lost.update(expired[:1])
        return [each for each in received if each.event["event_id"] not in lost]

    monkeypatch.setattr(Subscription, "pull", pull_and_lose)
    monkeypatch.setattr("infra.local.demo.TRAIL_WITHIN_SECONDS", 6)

    differences = play(stack, screen)

    assert len(lost) == 1
    assert differences == ["every committed event was received"]
    assert "Passed:" not in printed_on(screen)


def test_people_ask_again_while_the_functions_are_too_busy_and_not_when_they_are_refused() -> None:
    with little_server(503, 503, 409) as busy, client(busy.url) as http:
        answer = Person(name="ada", organization_id="northwind", http=http, token="t").acquire()

    assert (answer.status_code, [heard.path for heard in busy.heard]) == (409, ["/v1/acquire"] * 3)
    assert len({heard.body for heard in busy.heard}) == 1


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
    monkeypatch.setattr("infra.local.cli.play", lambda _stack, _console, **_how: differences)
    # It would take the signals of the tests' own process.
    monkeypatch.setattr("infra.local.cli._stop_on_signals", lambda: None)

    played = CliRunner().invoke(app, ["demo"])

    assert played.exit_code == status
