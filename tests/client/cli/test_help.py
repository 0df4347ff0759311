"""``--help``: it fits a terminal, and says what a person needs next."""

import pytest
from typer.testing import CliRunner

from seatlease.cli import exit_status
from seatlease.cli.app import app

_COLUMNS = 80
_COMMANDS = ("run", "usage", "release", "borrow", "return", "status", "login", "logout", "token", "doctor")


def _help(*words: str) -> str:
    shown = CliRunner(env={"COLUMNS": str(_COLUMNS), "TERMINAL_WIDTH": str(_COLUMNS)}).invoke(app, [*words, "-h"])
    assert shown.exit_code == 0
    return shown.output


@pytest.mark.parametrize("command", _COMMANDS)
def test_each_command_shows_examples_and_exit_statuses_in_80_columns(command: str) -> None:
    told = _help(command)

    assert "Examples:\n    " in told
    assert "\n  Exit status: " in told
    assert "client/docs/command-line.md" in told
    assert max(map(len, told.splitlines())) <= _COLUMNS
    assert "list[" not in told
    assert "<" not in told


def test_the_commands_are_listed_with_whole_sentences() -> None:
    told = _help()

    assert all(f"\n  {command} " in told for command in _COMMANDS)
    assert "..." not in told.partition("Commands:")[2].partition("Examples:")[0]
    assert "--install-completion" in told


def test_run_names_its_variables_its_statuses_and_the_two_hyphens() -> None:
    told = _help("run")

    assert "run [OPTIONS] -- {PROGRAM}..." in told or "run [OPTIONS] -- PROGRAM..." in told
    assert all(f"SEATLEASE_{name}" in told for name in ("URL", "LICENSE_KEY", "ID_TOKEN", "REFRESH_TOKEN", "API_KEY"))
    statuses = exit_status.MEANINGS.keys() - {exit_status.PROBLEM}
    assert all(f"\n    {status:<5}" in told for status in statuses)


@pytest.mark.parametrize("words", [["--wait", "5x", "ls"], ["--wait", "--", "ls"], ["--kill-after", "soon", "ls"]])
def test_an_error_names_the_option_that_it_is_about(words: list[str]) -> None:
    given = ["run", "--url=https://l.example.com", "--license-key=KEY", *words]

    refused = CliRunner().invoke(app, given)

    assert refused.exit_code == exit_status.WRONG_USE
    assert f"Invalid value for '{words[0]}': '{words[1]}' is not a duration" in refused.output
